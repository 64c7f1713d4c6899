"""
What can be the matter on the way to an FTP server: a closed list, each with what it means and what cures it.

Not here: which of them holds (``rules``). The texts say how sure they can be: the doctor sees one end of the way only.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["Cause", "Texts"]

_WALK_THROUGH = "Microsoft's walk-through \"Configuring FTP Firewall Settings\" says"
_AUTH_QUOTED = (
    f'{_WALK_THROUGH}: "Some 3rd-party firewall filters recognize the beginning of SSL negotiation, e.g. AUTH SSL or AUTH TLS commands, '
    'and return an error to prevent SSL negotiation from starting."'
)
_FILTER_QUOTED = (
    f"{_WALK_THROUGH} that stateful FTP inspection \"will not be able to parse the encrypted traffic that would establish the data connection\"."
)
_OPEN_PORTS = (
    "Open the server's passive ports by number in every firewall on the way (`twistftp firewall` prints the rules); a NAT must forward them "
    "one to one."
)
_FILTER_OFF = (
    "Turn FTP inspection off, on the server's side and on yours: `netsh advfirewall set global StatefulFtp disable` on Windows, the FTP helper "
    "(nf_conntrack_ftp) on Linux, the FTP ALG of routers, `inspect ftp` on Cisco's. Then open the passive ports by number."
)


class Texts(NamedTuple):
    """What is said of a cause. The fields in braces are the facts of a ``Finding``."""

    title: str
    why: str
    cure: str


class Cause(Enum):
    """Each value is what is said of it."""

    # The way to the control port.
    NAME_UNKNOWN = Texts("the host name is not known", "{detail}.", "Check the name; ask the DNS for it with `nslookup {host}`.")
    NAME_SERVERS = Texts("the DNS does not answer", "No name server answered in time.", "Check this machine's network; or give the server's address.")
    CONTROL_REFUSED = Texts(
        "control port closed",
        "{place} refuses connections: most likely no FTP server runs there, or it uses another port; a firewall may refuse in its name, too.",
        "Start the server, check its port and address (not 127.0.0.1), and open that TCP port in the firewall.",
    )
    CONTROL_SILENT = Texts(
        "control port closed",
        "{place} does not answer at all: most likely a firewall (the server's, the cloud's, or yours) drops connections to it.",
        "Open TCP {port} to the server in its firewall, the cloud's rules and the router's forwarding.",
    )
    CONTROL_UNREACHABLE = Texts(
        "control port closed",
        "There is no way to {place}: no route, or a firewall that says so.",
        "Check the address and this machine's network; open TCP {port} in the server's firewall.",
    )
    DEAD_ADDRESS = Texts(
        "one of the server's addresses does not answer",
        "{addresses}: clients try these addresses of the name, too, and wait.",
        "Let the server listen there and open the ports for it (IPv6 has firewall rules of its own), or take the address out of the DNS.",
    )
    # The greeting.
    MUTE = Texts(
        "the server says nothing",
        "{place} takes connections, but no greeting came within {seconds:.3g} s: most likely it is another service, or a load balancer, proxy or "
        "port forwarding that accepts in the server's place and finds no server behind it.",
        "Look whether the server runs, and where the port leads to.",
    )
    SPEAKS_TLS = Texts("the port speaks TLS from the first octet", "It is a port of implicit FTPS.", "Use ftps://, in the client and here.")
    SPEAKS_PLAIN = Texts(
        "the port does not speak TLS from the first octet",
        'It said: "{detail}"',
        "Use ftpes:// (TLS after AUTH) or ftp://, in the client and here; or turn implicit TLS on for that port of the server.",
    )
    HUNG_UP = Texts(
        "connected, and cut off at once",
        "The connection was taken and ended ({how}) before any greeting: most likely the server turns your address away without a word, or what "
        "accepts for it (proxy, load balancer, port forwarding) finds no server behind it.",
        "Check the server's list of addresses that are allowed, and where the port leads to.",
    )
    NOT_FTP = Texts("this is no FTP server", 'It said: "{detail}"', "Check host and port: another service answers there.")
    ENDLESS = Texts("the server talks without end", "Replies of FTP servers end.", "Check host and port, and what lies between.")
    TURNED_AWAY = Texts("the server turns you away", "It said: {said}", "Do what the reply asks for, or try again later; the server's log has more.")
    # TLS.
    AUTH_ANSWERED_FOR = Texts(
        "a middlebox answers AUTH in the server's place",
        "FEAT offers AUTH TLS, but AUTH was refused: {said}. A server that offers it does not refuse it, so most likely a stateful filter, an "
        f"application-level gateway or a proxy gave this answer to keep the session readable. {_AUTH_QUOTED}",
        _FILTER_OFF,
    )
    AUTH_MASKED = Texts(
        "a middlebox masks commands",
        "The reply to AUTH TLS was: {said}. Those X are not what was sent: inspection of FTP on the way (as in firewalls of Cisco) wrote over the "
        f"verb before the server saw it. {_AUTH_QUOTED}",
        _FILTER_OFF,
    )
    AUTH_CUT = Texts(
        "something cuts the session at AUTH TLS",
        "The control connection worked until AUTH TLS and then ended ({how}). A server that does not want TLS says so; most likely a stateful filter "
        f"or application-level gateway (ALG) on the way lets no TLS begin. {_AUTH_QUOTED}",
        _FILTER_OFF,
    )
    AUTH_UNCONFIGURED = Texts(
        "the server itself refuses TLS",
        "It said: {said}. Servers say so themselves: most likely it has no usable certificate (IIS answers so when TLS is allowed and no "
        "certificate is chosen), or a rule against it.",
        "Give the server a certificate, for the site that answers here. If it has one and its log knows nothing of this, a stateful filter "
        "or application-level gateway (ALG) answered in its place.",
    )
    AUTH_NOT_OFFERED = Texts(
        "the server does not offer TLS",
        "FEAT does not list AUTH, and AUTH TLS was refused: {said}. So most likely the server itself has no TLS; a filter that also takes it out of "
        "FEAT cannot be told apart from here.",
        "Turn TLS on in the server. If it is on: run this on the server's own machine; if TLS is there, something on the way hides it.",
    )
    HANDSHAKE_ANSWERED_FOR = Texts(
        "something else than TLS came back",
        "The server agreed to TLS, but then came: \"{detail}\". Most likely a filter or proxy on the way answers in the clear.",
        _FILTER_OFF,
    )
    HANDSHAKE_CUT = Texts(
        "the TLS handshake is cut off",
        "It ended ({how}) without a word of TLS from the server. Most likely a stateful filter breaks sessions that it cannot parse; a server that "
        f"fails over its certificate or key looks the same. {_FILTER_QUOTED}",
        f"{_FILTER_OFF} If nothing filters, look into the server's log.",
    )
    TLS_DISAGREED = Texts(
        "no TLS that both sides accept",
        "The server and this client could not agree: {detail}. Clients of today want TLS 1.2 or newer.",
        "Turn TLS 1.2 and 1.3 on in the server, with a certificate and ciphers of today.",
    )
    UNTRUSTED = Texts(
        "the certificate is not trusted",
        "{detail} (subject {subject}, issued by {issuer}). Nothing was sent behind it, no password either.",
        "Use a certificate of an authority that clients know and send its whole chain; for a private one give `--ca FILE`, or `--insecure` to "
        "look on.",
    )
    EXPIRED = Texts("the certificate has expired", "It was valid until {not_after}.", "Renew it; the server must then read it anew.")
    WRONG_NAME = Texts(
        "the certificate is another host's",
        "{detail}; it names {names}. Nothing was sent behind it, no password either.",
        "Use the name that the certificate has, or get one that names this host.",
    )
    EXPIRES = Texts("the certificate expires soon", "In {days} days, on {not_after}.", "Renew it in time, and see that the server reads it anew.")
    DATA_IN_CLEAR = Texts("data connections are not protected", "PROT P was refused: {said}", "Allow TLS on the data channel.")
    NOT_RESUMED = Texts(
        "data connections do not resume the TLS session",
        "Listings and files work, with a full handshake for each, and nothing ties them to the control connection.",
        "Turn the TLS session cache or tickets on in the server.",
    )
    # The login.
    TLS_DEMANDED = Texts("the server wants TLS", "It said: {said}", "Use ftpes:// (TLS after AUTH), in the client and here.")
    LOGIN_REFUSED = Texts("login refused", "It said: {said}", "Give the right user and password in the URL, or allow that user there.")
    LOGIN_CUT = Texts(
        "the session ends during the login",
        "The control connection ended ({how}) while the reply to USER or PASS was waited for.",
        "Look into the server's log; if it knows nothing of an end, something on the way cuts the connection.",
    )
    DIRECTORY_REFUSED = Texts("no such directory", "It said: {said}", "Give a directory in the URL that the user may enter, or none.")
    # Passive mode.
    WRONG_ADDRESS = Texts(
        "wrong address in the 227 reply",
        "PASV is told {address}{kind}, but the server is at {peer}{reached}. Most likely it stands behind a NAT and its external address is not "
        "set, or no longer right.",
        "Set the server's external address (`--external-address {peer}` for twistftp, External IP Address of Firewall in IIS). Until then: "
        "{instead}.",
    )
    WRONG_INSIDE = Texts(
        "wrong address in the 227 reply, for clients inside",
        "PASV is told {address}, but the server is at {peer}{reached}. Most likely that is its external address, which is of no use inside the NAT.",
        "Count your network among the internal ones (`--internal-network` for twistftp), or let the router send its own address back inside. "
        "Until then: {instead}. And run this again from outside.",
    )
    ALTERED = Texts(
        "227 altered: address or port translated on the way",
        "{evidence}. So a router or firewall with an FTP application-level gateway (ALG) most likely translates addresses or ports in the reply, "
        "and wrongly.",
        "Turn the FTP ALG or helper off on both sides' routers, and forward the passive ports one to one; with TLS nobody can alter the reply. "
        "Until then: {instead}.",
    )
    CUT_AT_PASSIVE = Texts(
        "the session is killed at {verbs}",
        "The control connection worked until {verbs} and then ended ({how}). A server answers; most likely a stateful filter or application-level "
        "gateway (ALG) on the way does not like the reply.",
        _FILTER_OFF,
    )
    SWALLOWED = Texts(
        "the reply to {verbs} never comes",
        "All commands were answered but this one. Most likely a stateful filter or FTP helper on the way drops the reply (Linux' does so when "
        "it names a port that it expects something else on).",
        _FILTER_OFF,
    )
    CUT_UNDER_TLS = Texts(
        "a stateful filter kills the TLS session at {verbs}",
        "TLS came up and the login worked; at {verbs} the control connection ended ({how}). A server that refuses says so in a reply. Most likely "
        f"stateful inspection (of a firewall on the server's side or on yours) trips over what it cannot read. {_FILTER_QUOTED}",
        _FILTER_OFF,
    )
    STATEFUL_FILTER = Texts(
        "a stateful filter opens data ports only where it can read along",
        "Data connections come up in the clear, but not under TLS (tried: {ports}). So the passive ports are not open by themselves: a firewall on "
        f"the way reads the replies and opens each port for its connection. {_FILTER_QUOTED}",
        f"{_OPEN_PORTS} Then turn the inspection off (`netsh advfirewall set global StatefulFtp disable` on Windows).",
    )
    PASV_ONLY = Texts(
        "data connections fail after EPSV, not after PASV",
        "The ports of EPSV ({ports}) are closed, those of PASV are not. Most likely a firewall reads 227 replies and opens their ports, and does not "
        "know 229; it will fail with TLS as well.",
        _OPEN_PORTS,
    )
    RANGE_CLOSED = Texts(
        "the passive port range is closed",
        "The server named these ports, and they cannot be reached: {ports} ({how}). The login works, listings hang. Most likely a firewall, the "
        "cloud's rules or the router's forwarding let in the control port alone.",
        _OPEN_PORTS,
    )
    SOME_CLOSED = Texts(
        "some ports of the passive port range are closed",
        "Closed: {ports} ({how}); open: {open}. Most likely the firewall's range, or the router's, is not the server's.",
        "Make the two ranges the same, both ends included (`twistftp firewall` prints the rules).",
    )
    SCAN_CLOSED = Texts(
        "ports of the range are closed",
        "Closed: {ports}; {others}. Where a port gives no answer at all, a firewall drops connections to it.",
        _OPEN_PORTS,
    )
    OUTSIDE = Texts(
        "the server uses ports outside that range",
        "It named {ports}. Either it has another range, or something on the way alters its replies.",
        "Compare the server's data channel port range with the one you looked at.",
    )
    ONLY_EPSV = Texts(
        "only EPSV works",
        "PASV was refused: {said}. Clients that know nothing else cannot list or fetch.",
        "Allow PASV in the server, or use EPSV; every client for IPv6 does.",
    )
    NO_EPSV = Texts(
        "EPSV is not there",
        "It was refused: {said}. Clients over IPv6 need it, the others fall back to PASV.",
        "Nothing need be done as long as there is no IPv6.",
    )
    ANSWERED_FOR = Texts(
        "a middlebox answers {verb} in the server's place",
        "FEAT lists {verb}, but it was refused: {said}. A server that lists a verb knows it, so most likely a filter or proxy on the way refuses it.",
        _FILTER_OFF,
    )
    UNREADABLE = Texts(
        "the reply to {verb} makes no sense",
        "It was: {said}. No address and port can be read in it; a server that works does not say that, so most likely something alters it.",
        _FILTER_OFF,
    )
    PASSIVE_REFUSED = Texts(
        "the server refuses passive mode",
        "It said: {said}",
        "Allow passive mode in the server, and give it a range of ports; nearly all clients need it.",
    )
    # Transfers.
    DATA_TLS_CUT = Texts(
        "TLS fails on data connections",
        "The data connection came up, but its TLS handshake did not ({how}){said}. Most likely a stateful filter trips over it; or the server "
        f"wants something of the TLS session that this client does not do. {_FILTER_QUOTED}",
        f"{_FILTER_OFF} And compare with the server's log.",
    )
    DATA_TLS_DEMANDED = Texts("TLS on data connections is not as the server wants it", "It said: {said}", "Follow the reply, or change these rules.")
    TAKEN_ELSEWHERE = Texts(
        "data connections come up here, but not at the server",
        "Port {port} took the connection, yet the server said: {said}. Most likely something accepts in its place (proxy, SYN proxy, virus "
        "scanner), or your data connections leave by another address than the control connection.",
        "Take the proxy out of the way of the passive ports, and let all connections of a client leave by one address.",
    )
    STALLED = Texts(
        "data connections come up and nothing moves",
        "Port {port} took the connection, but the {what} did not come ({how}){said}. Most likely something on the way accepts connections in the "
        "server's place, or loses big packets (MTU).",
        "Try from another network; look at proxies and VPNs on the way.",
    )
    CUT = Texts(
        "the session is cut off at {verbs}",
        "The control connection ended ({how}) while the reply to {verbs} was waited for.",
        "Look into the server's log; if it knows nothing of it, a filter on the way cuts the session.",
    )
    LIST_REFUSED = Texts("listing refused", "It said: {said}", "Let the user read the directory: a rule of the server, or the rights of the folder.")
    FETCH_REFUSED = Texts("fetching refused", "It said: {said}", "Let the user read the files: a rule of the server, or the rights of the files.")
    NOTHING_TO_FETCH = Texts(
        "there is no file to fetch",
        "Listings work, but show no file, so fetching could not be tried.",
        "Put a small file there, or name a directory that has one in the URL.",
    )
    # Middleboxes that let themselves be seen.
    MASKED = Texts(
        "a middlebox masks replies",
        "The reply to {command} was: {said}. Those X or * are not the server's: inspection of FTP (as in firewalls of Cisco) is on the way.",
        "If something else fails, suspect it first, and turn the inspection off (`no inspect ftp`).",
    )
    PROXY = Texts(
        "an FTP proxy answers",
        "The greeting is one of a proxy or gateway: {said}",
        "If something else fails, suspect it first: the proxy sets up data connections of its own. Go past it, or ask whoever runs it.",
    )
    STRAY_REPLIES = Texts(
        "replies to nothing that was asked",
        "{said}. A server gives one reply for each command; most likely something on the way answers, too.",
        "Look for a proxy or filter on the way; clients get out of step by it.",
    )
    # Active mode.
    ACTIVE_REFUSED = Texts(
        "active mode is refused",
        "{verb}: {said}",
        "Use passive mode. Most servers take PORT only for the address that they see the client come from.",
    )
    ACTIVE_BLOCKED = Texts(
        "active mode does not get through",
        "The server could not connect to this machine ({how}){said}. Most likely your own firewall or NAT does not let it in.",
        "Use passive mode.",
    )
    UNCLEAR = Texts(
        "a client could not both list and fetch",
        "What was seen, above, fits none of the usual causes.",
        "Compare with the server's log.",
    )
    NO_TIME = Texts("the time was up", "It ended during: {step}. What is not said above was not tried.", "Try again with a longer `--timeout`.")
