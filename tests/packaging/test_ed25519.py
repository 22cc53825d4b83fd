"""The installer's verifier is right by RFC 8032's vectors, and strict where implementations differ."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.packaging.conftest import script

# RFC 8032, 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.fixture(scope="module")
def ed25519() -> ModuleType:
    return script("packaging/install/launch/ed25519.py")


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_standard(ed25519: ModuleType, public: str, message: str, signature: str) -> None:
    key, text, signed = (bytes.fromhex(one) for one in (public, message, signature))
    assert ed25519.verify(key, signed, text)
    assert not ed25519.verify(key, signed, text + b"x")
    for place in range(64):
        changed = bytearray(signed)
        changed[place] ^= 1
        assert not ed25519.verify(key, bytes(changed), text)


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 255), st.integers(0, 7))
def test_it_agrees_with_the_library_that_signs(seed: bytes, message: bytes, place: int, bit: int) -> None:
    verify = script("packaging/install/launch/ed25519.py").verify
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert verify(public, signature, message)
    changed = bytearray(public + signature + message)
    changed[place % len(changed)] ^= 1 << bit
    assert not verify(bytes(changed[:32]), bytes(changed[32:96]), bytes(changed[96:]))


def test_a_second_form_of_a_signature_is_none(ed25519: ModuleType) -> None:
    private = Ed25519PrivateKey.generate()
    signature = private.sign(b"release")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    doubled = signature[:32] + scalar.to_bytes(32, "little")
    assert not ed25519.verify(private.public_key().public_bytes_raw(), doubled, b"release")


@pytest.mark.parametrize(
    "point", ["01" + "00" * 31, "00" * 32, "ec" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f"]
)
def test_a_key_under_which_anybody_could_sign_is_refused(ed25519: ModuleType, point: str) -> None:
    neutral = bytes.fromhex("01" + "00" * 31)
    assert not ed25519.verify(bytes.fromhex(point), neutral + bytes(32), b"anything")


@pytest.mark.parametrize(
    ("key", "signature"), [(b"", bytes(64)), (bytes(31), bytes(64)), (bytes(32), bytes(63))]
)
def test_another_length_is_refused(ed25519: ModuleType, key: bytes, signature: bytes) -> None:
    assert not ed25519.verify(key, signature, b"")


def test_only_the_standard_library_is_imported() -> None:
    for path in Path("packaging/install/launch").glob("*.py"):
        own = {one.stem for one in path.parent.glob("*.py")}
        for line in path.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                module = line.split()[1].split(".")[0]
                assert module in own | sys.stdlib_module_names, (path, line)
