"""``twistftp doctor``: looks at an FTP server from the client's side and says what works, and why the rest does not."""
