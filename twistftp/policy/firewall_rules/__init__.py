"""The rules that let FTP through each kind of firewall, as text. ``formats.rules`` is the way in; a file here is one family of firewalls."""
