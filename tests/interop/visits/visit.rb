# A visit with Ruby's net/ftp: HOST PORT plain|tls.
require 'net/ftp'

host, port, how = ARGV
ssl = how == 'tls' ? { verify_mode: OpenSSL::SSL::VERIFY_NONE } : false
ftp = Net::FTP.new(nil, ssl: ssl, passive: true, open_timeout: 10, read_timeout: 10)
ftp.connect(host, port.to_i)
ftp.login('alice', 'secret')
puts ftp.pwd, ftp.system
puts ftp.list
puts ftp.nlst('pub')
puts ftp.mlsd('pub').to_a.length
ftp.chdir('pub')
puts ftp.size('a'), ftp.mtime('a').to_i
ftp.getbinaryfile('a', 'got')
ftp.putbinaryfile('got', 'up')
ftp.rename('up', 'moved')
ftp.delete('moved')
ftp.mkdir('made')
ftp.rmdir('made')
ftp.chdir('..')
ftp.gettextfile('file.txt', 'got.txt') unless ssl # does not always resume its session
begin
  ftp.getbinaryfile('missing', 'none')
  exit 1
rescue Net::FTPPermError => e
  puts e.message
end
puts ftp.status
ftp.quit
ftp.close
