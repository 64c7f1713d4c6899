"""A visit with ftplib: HOST PORT plain|tls."""

import ftplib
import io
import ssl
import sys

host, port, how = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
ftp = ftplib.FTP_TLS(context=context) if how == "tls" else ftplib.FTP()
ftp.connect(host, int(port), 10)
ftp.login("alice", "secret")
if isinstance(ftp, ftplib.FTP_TLS):
    ftp.prot_p()
print(ftp.pwd())
ftp.dir()
print(ftp.nlst("pub"), dict(ftp.mlsd("pub", facts=["type", "size"])))
ftp.cwd("pub")
print(ftp.size("a"))
got = io.BytesIO()
ftp.retrbinary("RETR a", got.write)
ftp.storbinary("STOR up", io.BytesIO(got.getvalue()))
ftp.retrbinary("RETR up", got.write, rest=1)
ftp.storlines("STOR lines", io.BytesIO(b"one\ntwo\n"))
ftp.rename("up", "moved")
ftp.delete("moved")
ftp.delete("lines")
ftp.mkd("made")
ftp.rmd("made")
ftp.cwd("..")
ftp.retrlines("RETR file.txt")
try:
    ftp.retrbinary("RETR missing", got.write)
except ftplib.error_perm as error:
    print(error)
ftp.quit()
