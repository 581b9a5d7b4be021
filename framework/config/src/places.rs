//! Where objects are spilled to: folders, and places in object stores.

use std::path::PathBuf;

use crate::limits;
use crate::written::Written;

/// Folders and URLs, written with colons between them as in `PATH`: `/mnt/a:/mnt/b:s3://bucket/prefix`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpillPlaces {
    /// Absolute ones, in their order.
    pub folders: Vec<PathBuf>,
    /// URLs of places in object stores, in their order. None has a user, a password or a question: who may use them is said by the
    /// environment alone.
    pub urls: Vec<String>,
}

impl Written for SpillPlaces {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || {
            let (most, bytes) = (limits::FOLDERS_MAX, limits::PATH_BYTES_MAX);
            format!(
                "it is at most {most} absolute paths, or URLs such as s3://bucket/prefix, of 1 to {bytes} bytes, with colons between them"
            )
        };
        if let Some((_, rest)) = text.split_once("://")
            && rest.contains(['@', '?', '#'])
        {
            let why = "a URL here has no user, password, question or fragment: who may use it is said by the environment alone";
            return Err(why.to_owned());
        }
        let mut places = Self::default();
        let mut parts = text.split(':').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            // `s3` and `//bucket/prefix`, which was one.
            match parts.next_if(|next| is_scheme(part) && next.starts_with("//")) {
                Some(rest) => places.urls.push(read_url(part, rest).ok_or_else(wrong)?),
                None => places.folders.push(PathBuf::read(part).map_err(|_| wrong())?),
            }
        }
        let fits = places.folders.len() + places.urls.len() <= limits::FOLDERS_MAX;
        let are_absolute = places.folders.iter().all(|folder| folder.is_absolute());
        if fits && are_absolute { Ok(places) } else { Err(wrong()) }
    }

    fn write(&self) -> String {
        let parts = self.folders.iter().map(PathBuf::write);
        parts.chain(self.urls.iter().cloned()).collect::<Vec<_>>().join(":")
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn read_url(scheme: &str, rest: &str) -> Option<String> {
    let url = format!("{}:{rest}", scheme.to_ascii_lowercase());
    let is_plain = !url.contains(|c: char| c.is_control() || c.is_whitespace());
    let has_place = rest.len() > "//".len();
    (is_plain && has_place && url.len() <= limits::PATH_BYTES_MAX).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::checked;

    #[test]
    fn folders_and_urls_stand_in_one_text() {
        let text = "/mnt/a:S3://bucket/some/prefix:/mnt/b@c:file:///mnt/d";
        assert!(SpillPlaces::read(text).is_err(), "what has an @ in or behind a URL");
        let places = SpillPlaces::read(&text.replace("@c", "")).unwrap();
        assert_eq!(places.folders, ["/mnt/a", "/mnt/b"].map(PathBuf::from));
        assert_eq!(places.urls, ["s3://bucket/some/prefix", "file:///mnt/d"]);
        let one = "/mnt/a:/mnt/b:s3://bucket/some/prefix:file:///mnt/d";
        assert_eq!(checked::<SpillPlaces>(&text.replace("@c", ""), ""), Ok(one.to_owned()));
        assert_eq!(SpillPlaces::read(one), Ok(places));
        assert_eq!(SpillPlaces::read("/a@b:/c://d.e").unwrap().folders.len(), 3);
        assert_eq!(SpillPlaces::read(""), Ok(SpillPlaces::default()));
    }

    #[test]
    fn what_is_neither_is_refused_with_what_it_may_be() {
        let many = vec!["/a"; 65].join(":");
        for text in ["a", "s3", "s3:", "s3://", "s3:/bucket", "/a:s3://b:9/c", "s3://b c", &many] {
            let why = SpillPlaces::read(text).unwrap_err();
            assert!(why.contains("s3://bucket/prefix"), "{text}: {why}");
        }
        for text in ["s3://key:word@bucket/a", "s3://key:wo/rd@bucket", "az://c/a?sig=word"] {
            let why = SpillPlaces::read(text).unwrap_err();
            assert!(why.contains("by the environment alone"), "{text}: {why}");
        }
    }
}
