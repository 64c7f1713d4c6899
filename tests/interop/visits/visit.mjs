// A visit with basic-ftp (npm): HOST PORT plain|tls.
import { createRequire } from "node:module";
import { Readable, Writable } from "node:stream";

const { Client } = createRequire(`${process.cwd()}/`)("basic-ftp");
const [host, port, how] = process.argv.slice(2);
const nowhere = () => new Writable({ write: (chunk, encoding, done) => done() });
const client = new Client(10000);
await client.access({
    host, port: Number(port), user: "alice", password: "secret", secure: how === "tls", secureOptions: { rejectUnauthorized: false },
});
console.log(await client.pwd());
console.log((await client.list()).map((file) => `${file.name} ${file.size}`).join("\n"));
await client.cd("pub");
console.log(await client.size("a"), await client.lastMod("a"));
await client.downloadTo(nowhere(), "a");
await client.uploadFrom(Readable.from(["hello\n"]), "up");
await client.appendFrom(Readable.from(["again\n"]), "up");
await client.downloadTo(nowhere(), "up", 3);
await client.rename("up", "moved");
await client.remove("moved");
await client.ensureDir("made/deeper");
await client.cd("../..");
await client.removeDir("made");
await client.cdup();
await client.downloadTo(nowhere(), "missing").then(() => process.exit(1), (error) => console.log(error.message));
client.close();
