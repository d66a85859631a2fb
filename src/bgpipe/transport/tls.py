"""TLS: certificates of ours, and what to say when it does not come about. Nothing here imports ssl."""

from __future__ import annotations

from bgpipe.errors import StageError, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

# What OpenSSL finds wrong with a certificate: X509_V_ERR_ in its x509_vfy.h.
_NOT_YET, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64
_NOBODY_VOUCHES = (2, 18, 19, 20, 21)
# Its alerts (RFC 8446 section 6.2), by which the other side says what is wrong with ours.
_OURS_REFUSED = (
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
)
_NOTHING_IN_COMMON = (
    "PROTOCOL_VERSION",
    "HANDSHAKE_FAILURE",
    "INSUFFICIENT_SECURITY",
    "UNSUPPORTED_PROTOCOL",
    "VERSION_TOO_LOW",
    "NO_PROTOCOLS_AVAILABLE",
    "NO_SHARED_CIPHER",
)
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
    "BAD_RECORD_TYPE",
    "RECORD_LAYER_FAILURE",
)


def why(error: BaseException, host: str = "", *, insecure: bool = False) -> str:
    """What is wrong with a connection that has TLS, and what to do.

    host: who was asked for. insecure: whether there is --insecure.
    """
    if type(error).__module__ != "ssl":
        closed = isinstance(error, ConnectionResetError) and not error.args  # asyncio's, amid the handshake
        return "the other side closed the connection" if closed else reason(error)
    if hasattr(error, "verify_code"):
        return _about_certificate(error, host) + (", or --insecure takes any certificate" if insecure else "")  # type: ignore[arg-type]
    name = getattr(error, "reason", None) or ""
    alert = name.partition("_ALERT_")[2]
    plain = (alert or name).lower().replace("_", " ")
    if name in _NO_TLS:
        return "what comes from there is no TLS: does the other side speak it?"
    if alert == "CERTIFICATE_REQUIRED":
        return "the other side wants a certificate of ours"
    if alert == "UNRECOGNIZED_NAME":
        return f"the other side has no certificate for {host}"
    if alert in _OURS_REFUSED:
        return f"the other side does not accept our certificate ({plain})"
    if (alert or name) in _NOTHING_IN_COMMON:
        return f"the two sides have no version of TLS, or no cipher, in common ({plain})"
    if type(error).__name__ == "SSLEOFError":
        return "the other side closed the connection"
    return f"TLS fails: {plain or reason(error)}"


def _about_certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    whose = f"the certificate of {host}" if host else "its certificate"
    found = error.verify_message.rstrip(".")
    file = "the environment variable SSL_CERT_FILE names a file with those to trust"
    if error.verify_code in _NOBODY_VOUCHES:
        return f"nobody known here vouches for {whose} ({found}): {file}"
    if error.verify_code == _EXPIRED:
        return f"{whose} has expired: a new one is wanted there"
    if error.verify_code == _NOT_YET:
        return f"{whose} is not valid yet: is the clock right?"
    if error.verify_code in (_OTHER_HOST, _OTHER_ADDRESS):
        return f"{whose} is for another name: use one that it is for"
    return f"{whose} is not valid: {found}"


def load(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Have this certificate, and its key, which may be in the same file, where `key` is "". Raises StageError."""
    try:
        context.load_cert_chain(cert, key or None)
    except OSError as error:
        files = " and ".join(filter(None, (cert, key)))
        if type(error).__module__ != "ssl":
            problem = reason(error)
        elif "MISMATCH" in (getattr(error, "reason", None) or ""):
            problem = "the key is that of another certificate"
        else:
            problem = "expected a certificate and its key, as PEM"
        raise StageError(f"cannot use {files}: {problem}") from None
