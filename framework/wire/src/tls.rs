//! Encrypted links: TLS 1.3 with one pinned key.
//!
//! Every process that may join a cluster may also be its listener, so all of them show the same key: one that is derived
//! from the token, or one of a certificate that is given. The dialer takes that very key and no other; no authority, name
//! or date is asked. The proofs of the handshake are bound to the encrypted connection on top of that, so that a key which
//! got out does not make a listener of who does not know the token, nor lets anybody stand between two who do.

use std::fmt::{self, Debug, Formatter};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature, verify_tls13_signature_with_raw_key};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
    UnixTime,
};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error,
    InvalidMessage, ServerConfig, ServerConnection, SignatureScheme,
};
use zeroize::Zeroizing;

use crate::error::HandshakeError;
use crate::handshake::Binding;
use crate::message::{HEAD_BYTES, begins_well};
use crate::patience::Patient;
use crate::secret::{self, SecretError};
use crate::token::Token;

mod halves;

pub(crate) use halves::{Incoming, Outgoing};

/// Certificate chains and keys are a few KiB.
const PEM_BYTES_MAX: usize = 1 << 20;

/// Says to whatever else speaks TLS that this does not.
const PROTOCOL: &[u8] = b"raytree";

/// The alert of this name, before anything is encrypted.
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// What an Ed25519 private key begins with in PKCS #8; its 32 bytes follow.
const PKCS8_OF_ED25519: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// How links are encrypted. All processes of a cluster need the same.
///
/// [`Tls::of_token`] needs nothing but the token; [`Tls::from_pem_files`] is for who has to use certificates of their own.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// Certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate's file cannot be read, or holds none.
    #[error("{} holds no certificate in PEM", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// The key's file cannot be read, or is open to others.
    #[error("the key of the certificate cannot be used")]
    Key(#[from] SecretError),
    /// They do not belong together, or are of a kind that TLS 1.3 does not know.
    #[error("certificate and key cannot be used")]
    Unusable {
        /// What is wrong with them.
        source: Error,
    },
}

impl Tls {
    /// The key that follows from the token: there is no other file to hand out.
    ///
    /// # Errors
    /// [`TlsError::Unusable`], which no token is known to give.
    pub fn of_token(token: &Token) -> Result<Self, TlsError> {
        Self::with(None, key_of(token)).map_err(|source| TlsError::Unusable { source })
    }

    /// A certificate, with those that it is signed with if there are any, and its key, in PEM files that all processes of
    /// the cluster have. The key's file has to be this user's own, of mode 0600 or 0400.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn from_pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let (path, key) = (certificate.as_ref(), key.as_ref());
        let unread = |source| TlsError::Certificate { path: path.to_owned(), source };
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(path).map_err(unread)?.collect();
        let certificates = certificates.map_err(unread)?;
        if certificates.is_empty() {
            return Err(unread(rustls::pki_types::pem::Error::NoItemsFound));
        }
        let expected = "a private key in PEM";
        let text = secret::read(key, PEM_BYTES_MAX, expected)?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| SecretError::Malformed { path: key.to_owned(), expected })?;
        Self::with(Some(certificates), key).map_err(|source| TlsError::Unusable { source })
    }

    /// What a process of a cluster encrypts with: the certificate and key that are named; else, where others can reach it,
    /// what follows from the token; else nothing.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn chosen(
        token: &Token,
        pem: Option<(&Path, &Path)>,
        is_exposed: bool,
    ) -> Result<Option<Self>, TlsError> {
        match pem {
            Some((certificate, key)) => Self::from_pem_files(certificate, key).map(Some),
            None if is_exposed => Self::of_token(token).map(Some),
            None => Ok(None),
        }
    }

    /// Without certificates the bare key is shown.
    fn with(
        certificates: Option<Vec<CertificateDer<'static>>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Error> {
        // By name: a program may have other TLS libraries in it, and the process-wide default is theirs to choose.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = provider.key_provider.load_private_key(key)?;
        let bare = certificates.is_none();
        let shown = match certificates {
            Some(certificates) => certificates,
            None => {
                let public = key.public_key().ok_or(Error::General("no public key".to_owned()))?;
                vec![CertificateDer::from(public.to_vec())]
            }
        };
        let expected = shown.first().cloned().ok_or(Error::NoCertificatesPresented)?;
        let pinned = Pinned { expected, bare, provider: Arc::clone(&provider) };
        let own = CertifiedKey::new(shown, key);
        if !bare {
            own.keys_match()?;
        }
        Ok(Self { client: client(&provider, pinned)?, server: server(&provider, own, bare)? })
    }

    pub(crate) fn dial(&self, patient: &mut Patient<'_>) -> Result<Session, HandshakeError> {
        let of_rustls = |error: Error| error_of(io::Error::other(error));
        let name = ServerName::try_from("raytree")
            .map_err(|error| HandshakeError::Tls { source: error.into() })?;
        let client = ClientConnection::new(Arc::clone(&self.client), name).map_err(of_rustls)?;
        Session(client.into()).met(patient)
    }

    pub(crate) fn accept(&self, patient: &mut Patient<'_>) -> Result<Session, HandshakeError> {
        let mut first = [0; HEAD_BYTES];
        match patient.peek(&mut first)? {
            0 => return Err(HandshakeError::Closed),
            read => match begins_well(&first[..read]) {
                Ok(()) => return Err(HandshakeError::NoTls),
                Err(HandshakeError::OnlyTls) => {}
                Err(other) => return Err(other),
            },
        }
        let server = ServerConnection::new(Arc::clone(&self.server))
            .map_err(|error| error_of(io::Error::other(error)))?;
        let met = Session(server.into()).met(patient);
        if let Err(HandshakeError::Tls { source }) = &met
            && source.downcast_ref::<Error>().is_some_and(is_untold)
        {
            _ = patient.write_all(&HANDSHAKE_FAILURE);
        }
        met
    }
}

/// Another use of the token than in proofs, so it cannot be mistaken for one: those begin otherwise.
fn key_of(token: &Token) -> PrivateKeyDer<'static> {
    let seed = Zeroizing::new(token.proof(&[b"raytree tls key"]));
    let mut key = PKCS8_OF_ED25519.to_vec();
    key.extend(*seed);
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key))
}

/// One side shows a bare key and the other a certificate: the library says nothing of it to the other side, which would
/// only see that the listener hung up.
fn is_untold(error: &Error) -> bool {
    use rustls::PeerIncompatible::IncorrectCertificateTypeExtension;
    *error == Error::PeerIncompatible(IncorrectCertificateTypeExtension)
}

impl Debug for Tls {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

fn client(provider: &Arc<CryptoProvider>, pinned: Pinned) -> Result<Arc<ClientConfig>, Error> {
    let mut client = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    client.alpn_protocols = vec![PROTOCOL.to_vec()];
    client.enable_sni = false;
    // Each connection stands for itself: links are few and long.
    client.resumption = Resumption::disabled();
    Ok(Arc::new(client))
}

fn server(
    provider: &Arc<CryptoProvider>,
    own: CertifiedKey,
    bare: bool,
) -> Result<Arc<ServerConfig>, Error> {
    let server = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth();
    let mut server = if bare {
        server.with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(own))))
    } else {
        server.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)))
    };
    server.alpn_protocols = vec![PROTOCOL.to_vec()];
    server.send_tls13_tickets = 0;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(server))
}

/// Takes one certificate, or one bare key, and no other.
struct Pinned {
    expected: CertificateDer<'static>,
    bare: bool,
    provider: Arc<CryptoProvider>,
}

impl Debug for Pinned {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("bare", &self.bare).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    /// That the other side has the key, and did not only copy what is public.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        if self.bare {
            let key = SubjectPublicKeyInfoDer::from(certificate.as_ref());
            return verify_tls13_signature_with_raw_key(message, &key, signed, algorithms);
        }
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.bare
    }
}

/// An encrypted connection.
#[derive(Debug)]
pub(crate) struct Session(Connection);

impl Session {
    fn met(mut self, patient: &mut Patient<'_>) -> Result<Self, HandshakeError> {
        while self.0.is_handshaking() {
            self.0.complete_io(patient)?;
        }
        Ok(self)
    }

    /// RFC 9266 calls it `tls-exporter`.
    pub(crate) fn binding(&self) -> Result<Binding, HandshakeError> {
        let exported = self.0.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None);
        exported.map_err(|error| error_of(io::Error::other(error)))
    }

    /// Plain bytes over it.
    pub(crate) fn over<'a, T: Read + Write>(&'a mut self, io: &'a mut T) -> Over<'a, T> {
        Over { connection: &mut self.0, io }
    }

    pub(crate) fn split(self) -> (Incoming, Outgoing) {
        halves::split(self.0)
    }
}

/// An encrypted connection during the handshake that it carries: one thread, one thing at a time.
#[derive(Debug)]
pub(crate) struct Over<'a, T> {
    connection: &'a mut Connection,
    io: &'a mut T,
}

impl<T: Read + Write> Read for Over<'_, T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.connection.wants_read() {
            if self.connection.complete_io(self.io)?.0 == 0 {
                break;
            }
        }
        self.connection.reader().read(bytes)
    }
}

impl<T: Read + Write> Write for Over<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.connection.writer().write(bytes)?;
        self.flush()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(self.io)?;
        }
        Ok(())
    }
}

/// What went wrong below: in the library, or in the connection.
pub(crate) fn error_of(error: io::Error) -> HandshakeError {
    match error.downcast::<Error>() {
        Ok(Error::InvalidCertificate(_)) => HandshakeError::Certificate,
        // The first byte of what came is that of no record.
        Ok(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => HandshakeError::NoTls,
        Ok(other) => HandshakeError::Tls { source: other.into() },
        Err(source) => HandshakeError::Io { source },
    }
}

#[cfg(test)]
mod tests;
