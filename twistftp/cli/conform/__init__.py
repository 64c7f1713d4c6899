"""``twistftp conform``: the rules of FTP that can be seen from outside, tried on any server, one declared row each."""
