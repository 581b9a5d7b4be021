//! The secret that makes a process one of the cluster.
//!
//! Invariants:
//! - **WT-1 (one-token):** processes that create a token at one path at once end up with the same one.
//! - **WT-2 (unspoken):** a token is in no text that this crate makes: not in `Debug`, not in an error, not in a message.

use std::fmt::{self, Debug, Formatter};
use std::io;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::random::random;
use crate::secret::{self, SecretError};

/// Bytes of a token.
const BYTES: usize = 32;

/// Bytes of a proof.
pub(crate) const PROOF_BYTES: usize = 32;

/// A token file holds 64 hexadecimal digits and may end with a line's end.
const FILE_BYTES_MAX: usize = 2 * BYTES + 2;

const EXPECTED: &str = "a token, which is 64 hexadecimal digits";

/// 32 random bytes that all processes of a cluster share. Whoever knows them may join it and run code in it.
///
/// They have to be random: whoever can reach a listener can try guesses at home against what it says, which is hopeless
/// against 256 bits of chance and against nothing less.
///
/// It is compared in constant time, wiped from memory when it is dropped, and never printed.
#[derive(Clone)]
pub struct Token(Zeroizing<[u8; BYTES]>);

impl Token {
    /// A new one that nobody else knows.
    ///
    /// # Errors
    /// What the operating system said when it was asked for random bytes.
    pub fn random() -> io::Result<Self> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// The one in a file: 64 hexadecimal digits, of mode 0600 or 0400, and this user's own.
    ///
    /// # Errors
    /// [`SecretError`]; one that is not there is [`SecretError::Unreadable`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        let path = path.as_ref();
        let content = secret::read(path, FILE_BYTES_MAX, EXPECTED)?;
        let malformed = || SecretError::Malformed { path: path.to_owned(), expected: EXPECTED };
        Self::of_digits(content.trim_ascii_end()).ok_or_else(malformed)
    }

    /// The one in a file, which is made with a new token, mode 0600 and its folders with mode 0700 when it is not there.
    /// Of several processes that do this at once all get the same.
    ///
    /// # Errors
    /// [`SecretError`]. A file that is there is never replaced.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        let path = path.as_ref();
        match Self::load(path) {
            Err(SecretError::Unreadable { source, .. })
                if source.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        let not_created = |source| SecretError::NotCreated { path: path.to_owned(), source };
        let token = Self::random().map_err(not_created)?;
        if secret::create(path, &token.digits())? {
            return Ok(token);
        }
        Self::load(path)
    }

    fn of_digits(digits: &[u8]) -> Option<Self> {
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let mut token = Self(Zeroizing::new([0; BYTES]));
        if pairs.len() != BYTES {
            return None;
        }
        for (byte, [high, low]) in token.0.iter_mut().zip(pairs) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
        }
        Some(token)
    }

    fn digits(&self) -> Zeroizing<Vec<u8>> {
        let mut digits = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
        let digit = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
        digits.extend(self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
        digits.push(b'\n');
        digits
    }

    /// A secret for another purpose: it follows from the token, and says nothing of it. Nothing that is said on a connection
    /// is one.
    #[must_use]
    pub fn secret_for(&self, purpose: &str) -> [u8; 32] {
        self.proof(&[b"raytree: a secret for another purpose: ", purpose.as_bytes()])
    }

    /// What only one who knows the token can say of `parts`, one after the other.
    pub(crate) fn proof(&self, parts: &[&[u8]]) -> [u8; PROOF_BYTES] {
        self.keyed(parts).finalize().into_bytes().into()
    }

    /// In constant time.
    pub(crate) fn is_proof(&self, parts: &[&[u8]], proof: &[u8; PROOF_BYTES]) -> bool {
        self.keyed(parts).verify_slice(proof).is_ok()
    }

    fn keyed(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // A key of exactly a block: shorter ones are filled with zeros, which is what HMAC does anyway.
        let mut block = Zeroizing::new([0; 64]);
        block[..BYTES].copy_from_slice(&*self.0);
        let mut mac = Hmac::<Sha256>::new(&(*block).into());
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for Token {}

impl Debug for Token {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    use std::path::PathBuf;
    use std::sync::Barrier;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raytree").join("token");
        (folder, path)
    }

    #[test]
    fn a_new_token_is_its_owners_alone_and_stays() {
        let (_folder, path) = folder();
        let token = Token::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
        assert!(token == Token::load_or_create(&path).unwrap());
        assert!(token == Token::load(&path).unwrap());
        assert!(token != Token::random().unwrap());
        assert_eq!(fs::read(&path).unwrap().len(), 65);
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "no draft is left behind: {left:?}");
    }

    #[test]
    fn wt_1_threads_that_create_it_at_once_agree() {
        for _ in 0..20 {
            let (_folder, path) = folder();
            let start = Barrier::new(8);
            let create = || {
                start.wait();
                Token::load_or_create(&path).unwrap()
            };
            let tokens = thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
                threads.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
            });
            let kept = Token::load(&path).unwrap();
            assert!(tokens.iter().all(|token| *token == kept));
        }
    }

    #[test]
    fn wt_2_a_token_is_in_no_text() {
        let (_folder, path) = folder();
        let token = Token::load_or_create(&path).unwrap();
        assert_eq!(format!("{token:?} {token:#?}"), "Token(..) Token(..)");
        let digits = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{}x", &digits[..63])).unwrap();
        let error = Token::load(&path).unwrap_err();
        assert!(!format!("{error:?} {error}").contains(&digits[..8]));
    }

    #[test]
    fn a_file_that_is_no_secret_is_refused() {
        let (_folder, path) = folder();
        Token::load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o610, 0o644, 0o666] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            for token in [Token::load(&path), Token::load_or_create(&path)] {
                let error = token.unwrap_err();
                assert!(matches!(error, SecretError::OpenToOthers { mode: is, .. } if is == mode));
                assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
            }
        }
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(Token::load(&path).is_ok());
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        let (_folder, path) = folder();
        Token::load_or_create(&path).unwrap();
        // Only an administrator can give a file away; everybody finds one that is an administrator's.
        let path = if chown(&path, Some(12_345), None).is_ok() { path } else { "/dev/null".into() };
        let error = Token::load(&path).unwrap_err();
        let refused = matches!(
            error,
            SecretError::ForeignOwner { owner: 12_345, .. } | SecretError::NotAFile { .. }
        );
        assert!(refused, "{error}");
    }

    #[test]
    fn what_holds_no_token_is_refused_and_kept() {
        let (_folder, path) = folder();
        Token::load_or_create(&path).unwrap();
        let digits = fs::read_to_string(&path).unwrap();
        let good = digits.trim();
        let long = format!("{good}0");
        let huge = "0".repeat(1 << 20);
        let sign = format!("+{}", &good[1..]);
        for text in ["", &good[1..], &long, &huge, &sign, "a token"] {
            fs::write(&path, text).unwrap();
            let error = Token::load_or_create(&path).unwrap_err();
            assert!(matches!(error, SecretError::Malformed { .. }), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        for text in [good.to_owned(), format!("{good}\n"), format!("{good}\r\n")] {
            fs::write(&path, text).unwrap();
            assert!(Token::load(&path).is_ok());
        }
        let none = Token::load(path.with_extension("none")).unwrap_err();
        assert!(matches!(none, SecretError::Unreadable { .. }), "{none}");
        let folder = Token::load(path.parent().unwrap()).unwrap_err();
        assert!(matches!(folder, SecretError::NotAFile { .. }), "{folder}");
    }

    #[test]
    fn a_proof_is_an_hmac_with_sha_256() {
        // RFC 4231, case 4 has a key of 25 bytes; a token is that key filled up with zeros, as HMAC does it.
        let mut key = [0; BYTES];
        (1..=25).for_each(|at| key[usize::from(at) - 1] = at);
        let token = Token(Zeroizing::new(key));
        let proof = token.proof(&[&[0xcd; 20], &[0xcd; 30]]);
        let digits: String = proof.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digits, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    }

    proptest! {
        #[test]
        fn digits_are_read_back_and_nothing_else_panics(
            bytes: [u8; BYTES],
            other in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let token = Token(Zeroizing::new(bytes));
            prop_assert!(Token::of_digits(token.digits().trim_ascii_end()) == Some(token));
            if let Some(token) = Token::of_digits(&other) {
                prop_assert_eq!(token.digits().to_ascii_lowercase()[..64].to_vec(), other.to_ascii_lowercase());
            }
        }

        #[test]
        fn a_proof_holds_for_what_it_was_made_of_alone(
            bytes: [u8; BYTES],
            said in proptest::collection::vec(any::<u8>(), 1..80),
            at: prop::sample::Index,
        ) {
            let token = Token(Zeroizing::new(bytes));
            let proof = token.proof(&[&said]);
            prop_assert!(token.is_proof(&[&said], &proof));
            let mut bent = proof;
            bent[at.index(PROOF_BYTES)] ^= 1;
            prop_assert!(!token.is_proof(&[&said], &bent));
            let mut other = said.clone();
            other[at.index(said.len())] ^= 1;
            prop_assert!(!token.is_proof(&[&other], &proof));
        }
    }
}
