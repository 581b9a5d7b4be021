//! Encrypted links: which keys are taken, and which are not.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use raytree_wire::{BindTo, HandshakeError, Refusal, SecretError, Tls, TlsError, dial};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{SignatureAlgorithm, SignatureScheme};

use crate::support::{GENEROUS, House, hello, token, until};

const PKCS8_OF_ED25519: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const ED25519: [u8; 7] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut der = match content.len() {
        0..128 => vec![tag, low],
        128..256 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    der.extend(content);
    der
}

fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let mut bytes = [0; 4];
        bytes[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bytes);
        for at in 0..4 {
            let digit = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap();
            text.push(if at <= three.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A certificate that signs itself, and its key, in files.
struct Papers {
    folder: tempfile::TempDir,
}

impl Papers {
    fn new(seed: u8) -> Self {
        let key = [&PKCS8_OF_ED25519[..], &[seed; 32]].concat();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&*key)).clone_key();
        let signing = default_provider().key_provider.load_private_key(private).unwrap();
        assert_eq!(signing.algorithm(), SignatureAlgorithm::ED25519);
        let name = der(0x0c, &[b"raytree"]);
        let name = der(0x30, &[&der(0x31, &[&der(0x30, &[&[6, 3, 0x55, 4, 3], &name])])]);
        let time = der(0x17, &[b"250101000000Z"]);
        let content = der(
            0x30,
            &[
                &[0xa0, 3, 2, 1, 2],
                &[2, 1, 1],
                &ED25519,
                &name,
                &der(0x30, &[&time, &time]),
                &name,
                &signing.public_key().unwrap(),
            ],
        );
        let signer = signing.choose_scheme(&[SignatureScheme::ED25519]).unwrap();
        let signature = der(3, &[&[0], &signer.sign(&content).unwrap()]);
        let certificate = der(0x30, &[&content, &ED25519, &signature]);
        let papers = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(papers.certificate(), pem("CERTIFICATE", &certificate)).unwrap();
        fs::write(papers.key(), pem("PRIVATE KEY", &key)).unwrap();
        fs::set_permissions(papers.key(), Permissions::from_mode(0o600)).unwrap();
        papers
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn tls(&self) -> Tls {
        Tls::from_pem_files(self.certificate(), self.key()).unwrap()
    }
}

/// What a dialer with this makes of a listener with that, both with the same token.
fn met(with: Option<&Tls>, house: &House) -> Result<(), HandshakeError> {
    match dial(house.address(), &house.token, with, &hello(), GENEROUS) {
        Ok(stream) => {
            assert!(stream.is_encrypted());
            Ok(())
        }
        Err(raytree_wire::DialError::Handshake { source, .. }) => Err(source),
        Err(other) => unreachable!("{other:?}"),
    }
}

fn house(tls: Option<Tls>) -> House {
    House::of(BindTo { tls, ..BindTo::loopback(token()) })
}

#[test]
fn a_certificate_from_files_is_taken_where_it_is_the_very_one() {
    let (own, other) = (Papers::new(1), Papers::new(2));
    let house = house(Some(own.tls()));
    met(Some(&own.tls()), &house).unwrap();
    let refused = met(Some(&other.tls()), &house);
    assert!(matches!(refused, Err(HandshakeError::Certificate)), "{refused:?}");
    until(|| house.listener.counts().refused == 1);
    house.meet();
}

#[test]
fn the_key_of_another_token_is_refused() {
    let house = house(Some(Tls::of_token(&token()).unwrap()));
    let refused = met(Some(&Tls::of_token(&token()).unwrap()), &house);
    assert!(matches!(refused, Err(HandshakeError::Certificate)), "{refused:?}");
    // Who has the listener's key and another token gets no further.
    let refused = dial(house.address(), &token(), house.tls.as_ref(), &hello(), GENEROUS);
    let error = refused.unwrap_err();
    assert!(matches!(error.handshake(), Some(HandshakeError::Token)), "{error:?}");
    until(|| house.listener.counts().refused == 2);
}

#[test]
fn a_bare_key_and_a_certificate_do_not_meet() {
    let papers = Papers::new(1);
    let bare = Tls::of_token(&token()).unwrap();
    for (one, other) in [(&bare, &papers.tls()), (&papers.tls(), &bare)] {
        let refused = met(Some(one), &house(Some(other.clone())));
        assert!(matches!(refused, Err(HandshakeError::Tls { .. })), "{refused:?}");
    }
}

#[test]
fn one_with_tls_and_one_without_are_told_so() {
    let refused = met(None, &house(Some(Tls::of_token(&token()).unwrap())));
    let told = matches!(refused, Err(HandshakeError::Refused { reason: Refusal::OnlyTls }));
    assert!(told, "{refused:?}");
    let refused = met(Some(&Tls::of_token(&token()).unwrap()), &house(None));
    assert!(matches!(refused, Err(HandshakeError::NoTls)), "{refused:?}");
}

#[test]
fn papers_that_cannot_be_used_are_named() {
    let (own, other) = (Papers::new(1), Papers::new(2));
    let load = |certificate: PathBuf, key: PathBuf| {
        Tls::from_pem_files(certificate, key).map(|_| ()).unwrap_err()
    };
    let strange = load(own.certificate(), other.key());
    assert!(matches!(strange, TlsError::Unusable { .. }), "{strange}");
    let none = load(own.key(), own.key());
    assert!(matches!(none, TlsError::Certificate { .. }), "{none}");
    let none = load(own.folder.path().join("none"), own.key());
    assert!(matches!(none, TlsError::Certificate { .. }), "{none}");
    let none = load(own.certificate(), own.folder.path().join("none"));
    assert!(matches!(none, TlsError::Key(SecretError::Unreadable { .. })), "{none}");
    let empty = {
        fs::write(own.key(), "no key").unwrap();
        load(own.certificate(), own.key())
    };
    assert!(matches!(empty, TlsError::Key(SecretError::Malformed { .. })), "{empty}");
    fs::set_permissions(other.key(), Permissions::from_mode(0o644)).unwrap();
    let open = load(other.certificate(), other.key());
    assert!(matches!(open, TlsError::Key(SecretError::OpenToOthers { mode: 0o644, .. })), "{open}");
    assert_eq!(format!("{:?}", Papers::new(1).tls()), "Tls(..)");
}

#[test]
fn records_that_are_cut_or_bent_are_no_panic() {
    let house = house(Some(Tls::of_token(&token()).unwrap()));
    // The begin of a true one: a handshake record that announces 512 bytes.
    let mut hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    hello.extend([7; 501]);
    for end in (1..hello.len()).step_by(25) {
        let mut stranger = house.stranger();
        stranger.write_all(&hello[..end]).unwrap();
        stranger.shutdown(Shutdown::Write).unwrap();
    }
    let mut whole = house.stranger();
    whole.write_all(&hello).unwrap();
    let all = u64::try_from((1..hello.len()).step_by(25).count() + 1).unwrap();
    drop(whole);
    until(|| house.listener.counts().refused == all);
    house.meet();
}
