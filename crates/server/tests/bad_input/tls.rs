//! Services whose certificates no authority signed, and an authority that signed nothing.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

/// How the service signed its own certificate.
#[derive(Clone, Copy)]
pub enum Signed {
    /// As a service's.
    Leaf,
    /// As an authority's, which is what `openssl req -x509` makes.
    Authority,
}

/// Shakes hands with whoever comes, until the test's process ends.
pub fn service(signed: Signed) -> SocketAddr {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    if matches!(signed, Signed::Authority) {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut connection) = (stream.unwrap(), ServerConnection::new(config.clone()).unwrap());
            // The caller is expected to break it off.
            drop(connection.complete_io(&mut stream));
        }
    });
    address
}

/// An authority that signed none of them: a machine without any could not shake hands at all.
pub fn stranger() -> String {
    let mut params = CertificateParams::new(vec!["stranger.test".to_owned()]).unwrap();
    // Under rcgen's default name it would pass for the issuer of the others.
    params.distinguished_name.push(DnType::CommonName, "stranger");
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}
