"""Certificates of a test cluster: an authority, serving certificates (expired ones too), the ServiceAccounts' key pair."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=7)
Extensions = tuple[tuple[x509.ExtensionType, bool], ...]


class Authority:
    """A certificate authority whose files (`ca.crt`, `<name>.crt`, `<name>.key`) are in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._key = _new_key(folder / "ca.key")
        self._name = _name("test-cluster-ca")
        extensions: Extensions = (
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (_certificate_signing(), True),
            (x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False),
        )
        self._sign("ca", self._name, self._key.public_key(), extensions, LIFETIME)

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    def serving(self, name: str, *hosts: str, lifetime: timedelta = LIFETIME) -> None:
        """Write `<name>.crt` and `<name>.key` for a TLS server; a negative lifetime makes it expired."""
        key = _new_key(self.folder / f"{name}.key")
        extensions: Extensions = (
            (x509.SubjectAlternativeName([_alternative(host) for host in hosts]), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
        )
        self._sign(name, _name(name), key.public_key(), extensions, lifetime)

    def key_pair(self, name: str) -> None:
        """Write `<name>.key` and `<name>.pub`."""
        public = _new_key(self.folder / f"{name}.key").public_key()
        encoded = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        (self.folder / f"{name}.pub").write_bytes(encoded)

    def _sign(
        self, name: str, subject: x509.Name, key: ec.EllipticCurvePublicKey, extensions: Extensions, lifetime: timedelta
    ) -> None:
        end = datetime.now(UTC) + lifetime
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(end, datetime.now(UTC)) - timedelta(hours=1))
            .not_valid_after(end)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        certificate = builder.sign(self._key, hashes.SHA256())
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    form, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, bare))
    return key


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _certificate_signing() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
