# A visit with Net::FTP: HOST PORT plain|tls.
use strict;
use warnings;
use Net::FTP;

my ($host, $port, $how) = @ARGV;
my $ftp = Net::FTP->new($host, Port => $port, Timeout => 10, SSL_verify_mode => 0, Passive => 1) or die "connect: $@";
if ($how eq 'tls') { $ftp->starttls() or die "tls: " . $ftp->message; }
$ftp->login('alice', 'secret') or die "login: " . $ftp->message;
print $ftp->pwd(), "\n";
print "$_\n" for $ftp->dir();
print "$_\n" for $ftp->ls('pub');
$ftp->cwd('pub') or die $ftp->message;
$ftp->binary();
print $ftp->size('a'), " ", $ftp->mdtm('a'), "\n";
$ftp->get('a', 'got') or die $ftp->message;
$ftp->put('got', 'up') or die $ftp->message;
$ftp->append('got', 'up') or die $ftp->message;
$ftp->rename('up', 'moved') or die $ftp->message;
$ftp->delete('moved') or die $ftp->message;
$ftp->mkdir('made') or die $ftp->message;
$ftp->rmdir('made') or die $ftp->message;
$ftp->cdup() or die $ftp->message;
$ftp->ascii();
$ftp->get('file.txt', 'got.txt') or die $ftp->message;
$ftp->get('missing', 'none') and die "it is there";
$ftp->quit();
