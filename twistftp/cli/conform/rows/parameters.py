"""
Directories, transfer parameters and information: what is asked and answered on the control connection alone.

Not here: data connections (``data_ports``), features of RFC 3659 (``facts``).
"""

from __future__ import annotations

import re

from twistftp.cli.conform.client import Client
from twistftp.cli.conform.grammar import feature_fault, quoted_path
from twistftp.cli.conform.row import Broken, NotOffered, RowGroup
from twistftp.cli.conform.rows.words import BEYOND, DIRECTORY, FILE, LOGIN, MUST, SHOULD
from twistftp.cli.conform.visit import Visit

__all__ = ["directories", "information", "parameters"]

directories = RowGroup("Directories")
parameters = RowGroup("Transfer parameters")
information = RowGroup("Information and features")


def working_directory(client: Client) -> str:
    """
    What PWD names.

    :raises Broken: it is not in quotation marks behind 257.
    """
    said = client.must("PWD", "257")
    path = quoted_path(said.lines[0])
    if path is None:
        raise Broken(f"no directory in quotation marks behind 257 and a space: {said}")
    return path


@directories.row("P-PWD-1", "RFC 959, appendix II", MUST, 'PWD is answered 257 SP, then the directory in quotation marks, as in 257 "/pub".', LOGIN)
def print_directory(visit: Visit) -> None:
    """Those inside the name are doubled."""
    working_directory(visit.session())


@directories.row(
    "P-PWD-1.quotes", "beyond; FileZilla and lftp look for the last quotation mark", BEYOND, "No quotation mark stands behind that name.", LOGIN
)
def one_quoted(visit: Visit) -> None:
    """And the path is absolute."""
    client = visit.session()
    path = working_directory(client)
    text = client.dialogue.replies[-1].lines[0]
    if '"' in text[text.index('"') + 2 + len(path.replace('"', '""')) :] or not path.startswith("/"):
        raise Broken(f"the reply is {text!r}")


@directories.row("P-CWD-1", "RFC 959 §5.4", MUST, "CWD to a directory is answered 250, and PWD then shows another directory.", LOGIN, DIRECTORY)
def change(visit: Visit) -> None:
    """And CDUP leads back."""
    client = visit.session(fresh=True)
    before = working_directory(client)
    client.must(f"CWD {visit.directory().name}", "250")
    inside = working_directory(client)
    if inside == before:
        raise Broken(f"after 250 the directory is still {before!r}")


@directories.row("P-CWD-1.missing", "RFC 959 §5.4", MUST, "CWD to what does not exist is answered 550 and changes nothing.", LOGIN)
def change_to_nothing(visit: Visit) -> None:
    """The name is one that nobody has."""
    client = visit.session(fresh=True)
    before = working_directory(client)
    client.must("CWD twistftp-conform-none", "550")
    if working_directory(client) != before:
        raise Broken("the directory has changed")


@directories.row("P-CWD-1.file", "RFC 959 §4.1.1, §5.4", MUST, "CWD to a file is answered 550.", LOGIN, FILE)
def change_to_file(visit: Visit) -> None:
    """A file is no directory."""
    visit.session(fresh=True).must(f"CWD {visit.sample().name}", "550")


@directories.row("P-CDUP-1", "RFC 959 §4.1.1, §5.4", MUST, "CDUP is answered 200 or 250 and leads to the directory above.", LOGIN, DIRECTORY)
def up(visit: Visit) -> None:
    """§4.1.1 has the codes of CWD, §5.4 lists 200."""
    client = visit.session(fresh=True)
    before = working_directory(client)
    client.settle(f"CWD {visit.directory().name}", "2xx")
    client.must("CDUP", "200 250")
    if working_directory(client) != before:
        raise Broken(f"that leads to {working_directory(client)!r}, not back to {before!r}")


directories.says(
    "P-CDUP-1.root", "beyond; some clients take only 250", BEYOND, "CDUP in the root is answered 250 and stays there.",
    ("CWD /", "250"), ("CDUP", "250"), ("PWD", "257"),
)  # fmt: skip
directories.says(
    "P-XCMD-1", "RFC 1123 §4.1.3.1", SHOULD, "The older names XPWD, XCWD and XCUP do what PWD, CWD and CDUP do.",
    ("XPWD", "257"), ("XCWD .", "200 250"), ("XCUP", "200 250"),
)  # fmt: skip
directories.says(
    "P-SMNT-1", "RFC 959 §5.4", MUST, "SMNT is answered by one of its codes; most servers do not have it.", ("SMNT x", "202 250 500 501 502 530 550")
)


@directories.row("P-PATH-1", "RFC 3659 §6", MUST, "Where FEAT lists TVFS, / is the root directory.", LOGIN)
def virtual_store(visit: Visit) -> None:
    """And PWD names it so."""
    visit.needs_feature("TVFS")
    client = visit.session(fresh=True)
    client.must("CWD /", "2xx")
    if (where := working_directory(client)) != "/":
        raise Broken(f"CWD / leads to {where!r}")


@directories.row("P-PATH-1.dots", "beyond", BEYOND, "Where FEAT lists TVFS, .. stays in the root, and empty parts and . do not count.", LOGIN)
def spellings(visit: Visit) -> None:
    """Several of the root."""
    visit.needs_feature("TVFS")
    client = visit.session(fresh=True)
    for path in ("/..", "/./", "//", "/../.."):
        client.must(f"CWD {path}", "2xx")
        if (where := working_directory(client)) != "/":
            raise Broken(f"CWD {path} leads to {where!r}")


parameters.says(
    "P-TYPE-1", "RFC 1123 §4.1.2.1, §4.1.2.13; RFC 959 §5.1", MUST, "TYPE A, A N, I and L 8 are answered 200.",
    ("TYPE A", "200"), ("TYPE A N", "200"), ("TYPE I", "200"), ("TYPE L 8", "200"),
)  # fmt: skip
parameters.says("P-TYPE-1.case", "RFC 959 §5.3", MUST, "Capitals make no difference in the argument of TYPE.", ("TYPE i", "200"), ("TYPE a", "200"))
parameters.says("P-TYPE-1.T", "RFC 1123 §4.1.2.2", SHOULD, "TYPE A T is the same as TYPE A N.", ("TYPE A T", "200"))
parameters.says(
    "P-TYPE-1.bad",
    "RFC 959 §5.4",
    MUST,
    "A TYPE that there is not is refused with 501 or 504 (or 500).",
    ("TYPE X", "500 501 504"),
)
parameters.says(
    "P-TYPE-1.bytes", "beyond; RFC 959 §3.1.1.4 has other sizes, for machines that have them", BEYOND,
    "TYPE L with bytes of another size than 8 is refused.", ("TYPE L 7", "500 501 504"),
)  # fmt: skip
parameters.says("P-STRU-1", "RFC 959 §5.1, §5.4", MUST, "STRU F is answered 200; R and P 200 or 504; others 501 or 504.",
    ("STRU F", "200"), ("STRU R", "200 504"), ("STRU F", "200"), ("STRU P", "200 504"), ("STRU F", "200"), ("STRU X", "500 501 504"))  # fmt: skip
parameters.says("P-MODE-1", "RFC 959 §5.1, §5.4", MUST, "MODE S is answered 200; B and C 200 or 504; others 501 or 504.",
    ("MODE S", "200"), ("MODE B", "200 504"), ("MODE S", "200"), ("MODE C", "200 504"), ("MODE S", "200"), ("MODE X", "500 501 504"))  # fmt: skip
parameters.says("P-NOOP-1", "RFC 959 §5.4", MUST, "NOOP is answered 200.", ("NOOP", "200"))


@parameters.row("P-REST-1", "RFC 3659 §5.2; RFC 959 §5.4", MUST, "REST with a number is answered 350, where there is REST.", LOGIN)
def restart(visit: Visit) -> None:
    """Whether there is such an octet is not asked yet."""
    client = visit.session(fresh=True)
    client.settle("TYPE I", "200")
    said = client.ask("REST 10")
    if said.fits("500 502 504") and "REST" not in visit.features():
        raise NotOffered(f"REST is answered {said.code}")
    client.judge("REST 10", said, "350")
    client.must("REST 0", "350")


@parameters.row("P-REST-1.bad", "RFC 3659 §5.1; RFC 959 §5.4", SHOULD, "REST with something else than a number is answered 501 (or 500).", LOGIN)
def restart_nowhere(visit: Visit) -> None:
    """In stream mode the marker is a number of octets."""
    client = visit.session(fresh=True)
    client.settle("TYPE I", "200")
    client.settle("REST 10", "350")
    client.must("REST ten", "500 501")


@parameters.row("P-ALLO-1", "RFC 959 §4.1.3", SHOULD, "ALLO, where no room need be set aside, is a NOOP: 200 or 202.", LOGIN)
def allocate(visit: Visit) -> None:
    """A user who may not write may be told so."""
    client = visit.session(fresh=True)
    said = client.ask("ALLO 100")
    if said.fits("530 532 550 553") and not visit.may_write:
        raise NotOffered(f"ALLO is answered {said.code}: this user does not write")
    client.judge("ALLO 100", said, "200 202")


@parameters.row("P-OPTS-1", "RFC 2389 §4", SHOULD, "OPTS with a name that there is not is answered 501, where there is FEAT.", LOGIN)
def option(visit: Visit) -> None:
    """A server that has FEAT has OPTS."""
    if not visit.features():
        raise NotOffered("there is no FEAT")
    visit.session(fresh=True).must("OPTS XYZZ", "501")


@parameters.row("P-OPTS-2", "beyond; no RFC", BEYOND, "OPTS UTF8 ON is answered 200, where FEAT lists UTF8.", LOGIN)
def utf8(visit: Visit) -> None:
    """Sent by most Windows clients."""
    visit.needs_feature("UTF8")
    visit.session(fresh=True).must("OPTS UTF8 ON", "200")


@parameters.row(
    "P-LANG-1",
    "RFC 2640 §4.1",
    MUST,
    "LANG, where FEAT lists it: 200 for a language of that list and for none, 504 for one that there is not.",
    LOGIN,
)
def language(visit: Visit) -> None:
    """The tag is one that nobody speaks."""
    visit.needs_feature("LANG")
    client = visit.session(fresh=True)
    client.must("LANG", "200")
    client.must("LANG zz-none", "504 501")
    if tag := re.match(r"[A-Za-z-]+", visit.features()["LANG"]):
        client.must(f"LANG {tag[0]}", "200")


information.says(
    "P-SYST-1", "RFC 959 §4.1.3, §5.4", MUST, "SYST, where there is any, is answered 215 and a system's name.", ("SYST", "215"), optional="500 502"
)


@information.row("P-SYST-1.name", "beyond; clients choose the reader of LIST by it", BEYOND, "The name is UNIX Type: L8 or Windows_NT.", LOGIN)
def system_name(visit: Visit) -> None:
    """RFC 959 refers to the list of assigned numbers."""
    said = visit.session().settle("SYST", "215")
    if not re.match(r"(UNIX Type: L8|Windows_NT)\b", said.text):
        raise Broken(f"it is {said.text!r}")


@information.row(
    "P-GEN-9.minimum",
    "RFC 1123 §4.1.2.13",
    MUST,
    "ACCT, SYST, STAT and HELP, of the smallest set of commands, are there: not answered 500 or 502.",
    LOGIN,
)
def minimum(visit: Visit) -> None:
    """The others of that set are tried by other rows."""
    client = visit.session(fresh=True)
    answers = {command: client.ask(command).code for command in ("ACCT nothing", "SYST", "STAT", "HELP")}
    if missing := [f"{command} is answered {code}" for command, code in answers.items() if code in {500, 502}]:
        raise Broken("; ".join(missing))


information.says("P-STAT-1", "RFC 959 §4.1.3, §5.4", MUST, "STAT is answered 211.", ("STAT", "211"), optional="500 502")


@information.row("P-STAT-3", "RFC 959 §4.1.3, §5.4", MUST, "STAT with a path lists it over the control connection: 212 or 213 (or 211).", LOGIN, FILE)
def status_of_file(visit: Visit) -> None:
    """The lines of LIST, of a file that is there."""
    client, name = visit.session(), visit.sample().name
    said = client.ask(f"STAT {name}")
    if said.fits("500 502 504"):
        raise NotOffered(f"STAT with a path is answered {said.code}")
    client.judge("STAT with a path", said, "211 212 213")
    if not any(name.rpartition("/")[2] in line for line in said.lines[1:-1] or said.lines):
        raise Broken("the reply does not name the file")


information.says("P-HELP-1", "RFC 959 §4.1.3, §5.4", MUST, "HELP is answered 211 or 214.", ("HELP", "211 214"), optional="500 502")
@information.row("P-HELP-1.early", "RFC 959 §4.1.3", SHOULD, "HELP, where there is any, is answered before USER.", LOGIN)
def early_help(visit: Visit) -> None:
    """RFC 959 suggests it."""
    known = visit.session().ask("HELP")
    if known.fits("500 502"):
        raise NotOffered(f"HELP is answered {known.code}")
    visit.stranger().must("HELP", "211 214")


information.says(
    "P-HELP-1.verb",
    "RFC 959 §5.4",
    MUST,
    "HELP with a verb is answered 211 or 214, or refused with 501, 502 or 504.",
    ("HELP RETR", "211 214 500 501 502 504"),
)
information.says(
    "P-SITE-1", "RFC 959 §5.4", MUST, "SITE with a word that there is not is refused, or superfluous (202).",
    ("SITE XYZZ", "202 500 501 502 503 504 530 550"),
)  # fmt: skip
information.says("P-HELP-2", "beyond", BEYOND, "SITE HELP is answered 200, 211 or 214.", ("SITE HELP", "200 211 214"))


@information.row("P-FEAT-1", "RFC 2389 §3.2", MUST, "FEAT, where there is any: 211- text, each feature behind one space, 211 End.", LOGIN)
def feature_form(visit: Visit) -> None:
    """Or one line 211, if there are none."""
    said = visit.session().ask("FEAT")
    if said.fits("500 502"):
        raise NotOffered(f"FEAT is answered {said.code}")
    if said.code != 211:
        raise Broken(f"FEAT is answered {said.code}, not 211")
    if fault := feature_fault(said.lines):
        raise Broken(fault)


_PROBES = {
    "SIZE": "SIZE twistftp-conform-none", "MDTM": "MDTM twistftp-conform-none", "MLST": "MLST", "REST": "REST 0", "EPSV": "EPSV",
    "LANG": "LANG", "HOST": "HOST example.invalid", "PBSZ": "PBSZ 0", "PROT": "PROT P", "CLNT": "CLNT twistftp", "CSID": "CSID Name=twistftp;",
    "HASH": "HASH twistftp-conform-none", "RANG": "RANG 1 0", "XCRC": "XCRC twistftp-conform-none", "AVBL": "AVBL",
    "MFMT": "MFMT 20200101000000 twistftp-conform-none", "MFF": "MFF modify=20200101000000; twistftp-conform-none",
}  # fmt: skip


@information.row("P-FEAT-2", "RFC 2389 §3.2", MUST, "What FEAT lists is there: none of it is answered 500 (unknown) or 502 (not implemented).", LOGIN)
def features_are_true(visit: Visit) -> None:
    """What is known of it, each in a form that is right and does nothing."""
    listed = [name for name in _PROBES if name in visit.features()]
    if not listed:
        raise NotOffered("FEAT lists nothing that is known here")
    client = visit.session(fresh=True)
    if wrong := [name for name in listed if client.ask(_PROBES[name]).fits("500 502")]:
        raise Broken(f"{', '.join(wrong)}: listed, and not implemented")


@information.row(
    "P-FEAT-2.missing",
    "RFC 3659 §3.3, §4.3, §5.1, §7.8; RFC 2389 §3.2",
    MUST,
    "SIZE, MDTM, REST and MLST are in FEAT if they are there.",
    LOGIN,
    FILE,
)
def features_are_whole(visit: Visit) -> None:
    """RFC 3659 says so of each; a server without FEAT says nothing."""
    if not visit.features():
        raise NotOffered("there is no FEAT")
    client, name = visit.session(fresh=True), visit.sample().name
    client.ask("TYPE I")
    probes = {"SIZE": (f"SIZE {name}", 213), "MDTM": (f"MDTM {name}", 213), "MLST": (f"MLST {name}", 250), "REST": ("REST 1", 350)}
    hidden = [verb for verb, (command, code) in probes.items() if verb not in visit.features() and client.ask(command).code == code]
    if hidden:
        raise Broken(f"{', '.join(hidden)}: there, and not listed")
