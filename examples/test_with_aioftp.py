"""
Tests of a program that uses aioftp: ``python examples/test_with_aioftp.py``, or by pytest, or by any other runner of ``unittest``.

Nothing of this needs pytest: ``ftp_site`` is a context manager, for ``async with``, too. The site runs in a process of its own,
so it does not get in the way of the loop.
"""

import asyncio
import unittest

import aioftp

from twistftp.testing import chaos, ftp_site


async def deliver(site, content: bytes, name: str, tries: int = 3) -> None:
    """What is tested: an upload that is tried again."""
    for left in reversed(range(tries)):
        try:
            async with aioftp.Client.context(site.host, site.port, site.user, site.password) as client, client.upload_stream(name) as stream:
                await stream.write(content)
        except (OSError, aioftp.StatusCodeError):
            if not left:
                raise
        else:
            return


class DeliverTests(unittest.IsolatedAsyncioTestCase):
    async def test_deliver(self):
        """The site has the file when the client is done."""
        async with ftp_site() as site:
            await deliver(site, b"hello", "a.txt")
            self.assertEqual({"a.txt": b"hello"}, dict(site.files))

    async def test_a_full_disk(self):
        """452 at the first two tries, room at the third."""
        async with ftp_site(chaos=[chaos.disk_full_at(3, times=2)]) as site:
            await deliver(site, b"hello", "a.txt")
            self.assertEqual(b"hello", site.files["a.txt"])
            self.assertEqual(3, site.commands.count("STOR a.txt"))

    async def test_a_server_that_is_going_down(self):
        """421 in the place of 226's transfer, every time."""
        async with ftp_site(chaos=[chaos.reply_421_at(4)]) as site:
            with self.assertRaises((aioftp.StatusCodeError, OSError)):
                await deliver(site, b"hello", "a.txt", tries=2)
            await asyncio.to_thread(site.wait_until_empty)
            self.assertEqual([], list(site.files))


if __name__ == "__main__":
    unittest.main()
