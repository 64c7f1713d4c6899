"""Tests of ``twistftp.wire.nvt_ascii``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.nvt_ascii import FromNVT, ToNVT, converted_size

_CHUNKS = st.lists(st.lists(st.sampled_from([b"\r", b"\n", b"a", b"\r\n", b"\0"]), max_size=6).map(b"".join) | st.binary(max_size=6), max_size=12)


def to_wire(*chunks: bytes) -> bytes:
    converter = ToNVT()
    return b"".join([converter.convert(chunk) for chunk in chunks])


def from_wire(*chunks: bytes) -> bytes:
    converter = FromNVT()
    return b"".join([converter.convert(chunk) for chunk in chunks]) + converter.finish()


class ToNVTTests(SynchronousTestCase):
    """A file on its way to the wire."""

    def test_line_ends(self) -> None:
        """LF becomes CRLF; a CRLF and a lone CR stay; there is never a CR CR LF that was none (P-TYPE-2)."""
        self.assertEqual(b"a\r\nb\r\nc\rd\r\n\r\n\r\r\n", to_wire(b"a\nb\r\nc\rd\n\n\r\r\n"))

    def test_a_cut_crlf(self) -> None:
        """A CRLF in two reads stays one (P-TYPE-2)."""
        self.assertEqual(b"a\r\nb\r\n\r\n", to_wire(b"a\r", b"\nb\r", b"", b"\n\n"))

    @given(_CHUNKS)
    def test_any_cut(self, chunks: list[bytes]) -> None:
        """The result does not depend on how the file was read (P-TYPE-2)."""
        data = b"".join(chunks)
        self.assertEqual(to_wire(data), to_wire(*chunks))
        self.assertEqual(to_wire(data), to_wire(*(data[i : i + 1] for i in range(len(data)))))

    @given(_CHUNKS.map(b"".join))
    def test_every_lf_has_its_cr(self, data: bytes) -> None:
        """On the wire no LF is without CR, and converting again changes nothing (P-TYPE-2)."""
        wire = to_wire(data)
        self.assertEqual(wire.count(b"\n"), wire.count(b"\r\n"))
        self.assertEqual(wire, to_wire(wire))


class FromNVTTests(SynchronousTestCase):
    """A file on its way from the wire."""

    def test_line_ends(self) -> None:
        """CRLF becomes LF; a lone CR and a lone LF stay (P-TYPE-2)."""
        self.assertEqual(b"a\nb\rc\nd\r\n", from_wire(b"a\r\nb\rc\nd\r\r\n"))

    def test_a_cut_crlf(self) -> None:
        """A CRLF in two segments is one line end (P-TYPE-2)."""
        self.assertEqual(b"a\nb", from_wire(b"a\r", b"", b"\nb"))

    def test_a_cr_at_the_end(self) -> None:
        """A CR at the end of the data is kept (P-TYPE-2)."""
        self.assertEqual(b"a\r", from_wire(b"a\r"))
        converter = FromNVT()
        converter.convert(b"a\r")
        self.assertEqual([b"\r", b""], [converter.finish(), converter.finish()])

    @given(_CHUNKS)
    def test_any_cut(self, chunks: list[bytes]) -> None:
        """The result does not depend on how the data arrived (P-TYPE-2)."""
        data = b"".join(chunks)
        self.assertEqual(data.replace(b"\r\n", b"\n"), from_wire(*chunks))
        self.assertEqual(from_wire(data), from_wire(*(data[i : i + 1] for i in range(len(data)))))


class RoundTripTests(SynchronousTestCase):
    """Both ways."""

    @given(_CHUNKS.map(b"".join))
    def test_there_and_back(self, data: bytes) -> None:
        """A file without CRLF comes back as it was; a CRLF comes back as LF (P-TYPE-2)."""
        self.assertEqual(data.replace(b"\r\n", b"\n"), from_wire(to_wire(data)))


class ConvertedSizeTests(SynchronousTestCase):
    """SIZE in TYPE A."""

    @given(_CHUNKS.map(b"".join))
    def test_is_exact(self, data: bytes) -> None:
        """The size is that of the octets that are sent (P-SIZE-2)."""
        self.assertEqual(len(to_wire(data)), converted_size(data))
