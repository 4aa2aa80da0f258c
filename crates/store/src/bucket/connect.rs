//! How a bucket is reached: the operator's own address and key, over the one TLS library of the program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_model::credential::Secret;
use mainspring_model::store::StoreError;
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::Bucket;

/// For a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Without a byte of an answer.
const SILENCE: Duration = Duration::from_secs(30);
/// For a whole request: a part is 5 MiB.
const WHOLE: Duration = Duration::from_secs(300);
/// A store that says that it is busy is asked again for so long.
const AGAIN: Duration = Duration::from_secs(20);
const RETRIES: usize = 5;

/// Where a bucket is, as the settings say it.
#[derive(Clone, Debug, Default)]
pub struct BucketTerms {
    pub bucket: String,
    pub region: Option<String>,
    /// `None`: that of AWS in the region.
    pub endpoint: Option<String>,
    /// `None`: the role of the machine.
    pub key_id: Option<String>,
    pub secret: Option<Secret>,
    /// `endpoint/bucket/…` instead of `bucket.endpoint/…`. `None`: as soon as an endpoint is written.
    pub path_style: Option<bool>,
    /// Of all objects.
    pub prefix: String,
}

/// Our own client, with the one TLS library of the program.
#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

impl Bucket {
    /// Reaches for nothing yet: see [`Bucket::probe`].
    ///
    /// # Errors
    /// Settings that name no bucket.
    pub fn open(terms: &BucketTerms) -> Result<Bucket, StoreError> {
        let place = match &terms.endpoint {
            Some(endpoint) => format!("the bucket \"{}\" at {endpoint}", terms.bucket),
            None => format!("the bucket \"{}\" in {}", terms.bucket, terms.region.as_deref().unwrap_or("us-east-1")),
        };
        let unusable = |error: &dyn std::fmt::Display| StoreError::Failed(format!("{place} cannot be used: {error}"));
        // Whoever came first has installed the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .timeout(WHOLE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unusable(&error))?;
        let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 };
        let path_style = terms.path_style.unwrap_or(terms.endpoint.is_some());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&terms.bucket)
            .with_region(terms.region.as_deref().unwrap_or("us-east-1"))
            .with_virtual_hosted_style_request(!path_style)
            .with_retry(RetryConfig { backoff, max_retries: RETRIES, retry_timeout: AGAIN })
            .with_http_connector(Connector(client));
        if let Some(endpoint) = &terms.endpoint {
            let endpoint = match (path_style, endpoint.split_once("://")) {
                // Of a bucket that is part of the name, the builder takes the whole name.
                (false, Some((scheme, host))) => format!("{scheme}://{}.{host}", terms.bucket),
                _ => endpoint.clone(),
            };
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        match (&terms.key_id, &terms.secret) {
            (Some(key), Some(secret)) => builder = builder.with_access_key_id(key).with_secret_access_key(secret.expose()),
            (None, None) => {}
            // Half a key would be taken for none: the machine's role may reach another bucket of this name.
            (Some(_), None) => return Err(unusable(&"MAINSPRING_S3_KEY_ID is set and MAINSPRING_S3_SECRET is not")),
            (None, Some(_)) => return Err(unusable(&"MAINSPRING_S3_SECRET is set and MAINSPRING_S3_KEY_ID is not")),
        }
        let client = builder.build().map_err(|error| unusable(&error))?;
        let prefix = terms.prefix.trim_matches('/').to_owned();
        let prefix = if prefix.is_empty() { "mainspring".to_owned() } else { prefix };
        Ok(Bucket { client: Arc::new(client), prefix, place, uploads: Mutex::new(HashMap::new()) })
    }
}
