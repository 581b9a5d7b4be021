//! From a URL to a client of its object store.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;

use super::{Kind, SpillUrl, UrlError};

/// The client, and where in its store all is to be.
pub(super) fn client(of: &SpillUrl, kind: Kind) -> Result<(Arc<dyn ObjectStore>, Path), UrlError> {
    let wrong = |why: String| UrlError::Client { url: of.url.clone(), why };
    let rest = of.url.split_once("://").map_or("", |(_, rest)| rest);
    match kind {
        Kind::File => {
            let Some(folder) = rest.strip_prefix('/').map(|path| format!("/{path}")) else {
                return Err(wrong("a file has no host: it is file:///path".to_owned()));
            };
            // As a folder of our own would be: others of this machine may not read what is in it.
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.map_err(|error| wrong(error.to_string()))?;
            let store = LocalFileSystem::new_with_prefix(&folder);
            let store = store.map_err(|error| wrong(error.to_string()))?;
            Ok((Arc::new(store.with_automatic_cleanup(true)), Path::default()))
        }
        #[cfg(not(feature = "object-store-cloud"))]
        Kind::Cloud => {
            Err(UrlError::NotBuilt { url: of.url.clone(), feature: "object-store-cloud" })
        }
        #[cfg(feature = "object-store-cloud")]
        Kind::Cloud => {
            let path = rest.split_once('/').map_or("", |(_, path)| path);
            let path = Path::from_url_path(path).map_err(|error| wrong(error.to_string()))?;
            let store = cloud::client(of).map_err(|error| wrong(error.to_string()))?;
            Ok((store, path))
        }
    }
}

#[cfg(feature = "object-store-cloud")]
mod cloud {
    use std::sync::Arc;

    use object_store::aws::AmazonS3Builder;
    use object_store::azure::MicrosoftAzureBuilder;
    use object_store::gcp::GoogleCloudStorageBuilder;
    use object_store::{BackoffConfig, Error, ObjectStore, RetryConfig};
    use raytree_types::limits;

    use super::SpillUrl;

    /// What the environment says, then what was said here. How long one request may take is the client's own default (30 s, 5 s of
    /// them to connect) where nobody says otherwise.
    macro_rules! built {
        ($builder:ty, $of:expr) => {{
            let builder = <$builder>::from_env().with_url($of.url.clone()).with_retry(retries());
            let given = $of.options.iter();
            let builder = given.fold(builder, |builder, (name, value)| match name.parse() {
                Ok(name) => builder.with_config(name, value),
                Err(_) => builder,
            });
            Arc::new(builder.build()?)
        }};
    }

    pub(super) fn client(of: &SpillUrl) -> Result<Arc<dyn ObjectStore>, Error> {
        // The one that all of raytree has. That there is another one already, which somebody else in this program has chosen, is as good.
        _ = rustls::crypto::ring::default_provider().install_default();
        Ok(match of.url.split_once("://").map_or("", |(scheme, _)| scheme) {
            "gs" => built!(GoogleCloudStorageBuilder, of),
            "s3" | "s3a" => built!(AmazonS3Builder, of),
            _ => built!(MicrosoftAzureBuilder, of),
        })
    }

    fn retries() -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: limits::SPILL_REQUEST_RETRIES,
            retry_timeout: limits::SPILL_RETRIED_FOR,
        }
    }
}
