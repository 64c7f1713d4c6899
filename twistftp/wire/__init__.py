"""L0: the octets and words of FTP. Pure: no Twisted, no clock, no file, no socket."""
