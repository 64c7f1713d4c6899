"""``python -m twistftp``: the same command as ``twistftp``."""

from twistftp.cli import main

if __name__ == "__main__":
    main(prog_name="twistftp")
