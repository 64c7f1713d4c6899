<?php
// A visit with PHP's ftp extension: HOST PORT plain|tls.
[, $host, $port, $how] = $argv;
$ftp = $how === 'tls' ? ftp_ssl_connect($host, (int) $port, 10) : ftp_connect($host, (int) $port, 10);
if (!$ftp || !ftp_login($ftp, 'alice', 'secret')) { exit(1); }
ftp_pasv($ftp, true);
echo ftp_pwd($ftp), "\n", ftp_systype($ftp), "\n";
echo implode("\n", ftp_rawlist($ftp, '.')), "\n";
echo implode("\n", ftp_nlist($ftp, 'pub')), "\n";
echo count(ftp_mlsd($ftp, 'pub')), "\n";
ftp_chdir($ftp, 'pub') || exit(2);
echo ftp_size($ftp, 'a'), ' ', ftp_mdtm($ftp, 'a'), "\n";
ftp_get($ftp, 'got', 'a', FTP_BINARY) || exit(3);
ftp_put($ftp, 'up', 'got', FTP_BINARY) || exit(4);
ftp_append($ftp, 'up', 'got', FTP_BINARY) || exit(5);
ftp_rename($ftp, 'up', 'moved') || exit(6);
ftp_chmod($ftp, 0600, 'moved') || exit(7);
ftp_delete($ftp, 'moved') || exit(8);
ftp_mkdir($ftp, 'made') || exit(9);
ftp_rmdir($ftp, 'made') || exit(10);
ftp_cdup($ftp) || exit(11);
ftp_get($ftp, 'got.txt', 'file.txt', FTP_ASCII) || exit(12);
@ftp_get($ftp, 'none', 'missing', FTP_BINARY) && exit(13);
ftp_close($ftp);
