"""A visit with aioftp: HOST PORT plain|tls."""

import asyncio
import ssl
import sys
from pathlib import Path


async def visit(host: str, port: str, how: str) -> None:
    import aioftp

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = aioftp.Client()
    await client.connect(host, int(port))
    if how == "tls":
        await client.upgrade_to_tls(context)
    await client.login("alice", "secret")
    print(await client.get_current_directory())
    for path, facts in await client.list():
        print(path, facts["type"])
    await client.change_directory("pub")
    print(await client.stat("a"))
    await client.download("a", "got", write_into=True)
    await client.upload(Path("got"), "up", write_into=True)
    await client.rename("up", "moved")
    await client.remove_file("moved")
    await client.make_directory("made")
    await client.remove_directory("made")
    await client.change_directory("..")
    try:
        await client.download("missing", "none", write_into=True)
    except aioftp.StatusCodeError as error:
        print(error.received_codes)
    await client.quit()


asyncio.run(visit(*sys.argv[1:]))
