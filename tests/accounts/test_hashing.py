"""Tests of ``accounts.hashing``."""

from __future__ import annotations

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import VerifyMismatchError
from twisted.trial.unittest import SynchronousTestCase

from twistftp.accounts import hashing
from twistftp.accounts.hashing import decoy_of, hash_password, hash_trouble, is_password, password_trouble


class HashingTests(SynchronousTestCase):
    """Passwords and hashes."""

    def test_hash(self) -> None:
        """argon2id, a new salt each time, at most 20 MiB, one thread; octets as they are."""
        for password in (b"secret", b" \xff\xe9 ", "größe".encode()):
            one, two = hash_password(password), hash_password(password)
            self.assertNotEqual(one, two)
            self.assertEqual("", hash_trouble(one))
            self.assertTrue(is_password(one, password) and is_password(two, password))
            self.assertFalse(is_password(one, password + b" "))
        parameters = extract_parameters(one)
        self.assertEqual((Type.ID, 1), (parameters.type, parameters.parallelism))
        self.assertLessEqual(parameters.memory_cost, 20 * 1024)

    def test_other_tools(self) -> None:
        """Hashes with the default cost of argon2's own tools, and of its other types, are good."""
        for kind in Type:
            encoded = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4, type=kind).hash("x")
            self.assertEqual("", hash_trouble(encoded))
            self.assertTrue(is_password(encoded, b"x"))

    def test_decoy(self) -> None:
        """P-SEC-4: a decoy is whole, has the cost of its model, and is compared with in full: a mismatch, not a hash that cannot be read."""
        for model in (None, hash_password(b"x"), PasswordHasher(time_cost=1, memory_cost=64, hash_len=33, salt_len=17).hash("x")):
            for _ in range(5):
                decoy = decoy_of(model)
                self.assertEqual("", hash_trouble(decoy))
                self.assertEqual(extract_parameters(model or hash_password(b"x")), extract_parameters(decoy))
                self.assertRaises(VerifyMismatchError, hashing._HASHER.verify, decoy, b"x")

    def test_passwords(self) -> None:
        """What FTP cannot send is no password."""
        for password in (b"", b"a\nb", b"a\rb", b"a\0b", b"x" * 513):
            self.assertNotEqual("", password_trouble(password))
        for password in (b" ", b"x" * 512, "größe".encode(), b"\xff"):
            self.assertEqual("", password_trouble(password))
