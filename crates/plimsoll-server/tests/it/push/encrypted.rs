//! A receiver proves who it is.

use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use plimsoll_jobs::State;
use plimsoll_server::push::Options;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

use super::receiver::{Answer, Receiver, status};
use super::world::{World, options};

/// Makes a certificate of `hooks.example` that signs itself; `None` without openssl.
fn certificate(directory: &Path) -> Option<Arc<ServerConfig>> {
    let (key, certificate) = (directory.join("key.pem"), directory.join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-days", "2"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return None;
    }
    let chain = CertificateDer::pem_file_iter(certificate).expect("a file").flatten().collect();
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a configuration");
    Some(Arc::new(config))
}

fn here(options: Options) -> Options {
    let resolve = |_: &str| Ok(vec![IpAddr::from([127, 0, 0, 1])]);
    Options { resolve: Arc::new(resolve), ..options }
}

#[test]
fn a_receiver_is_encrypted_to_and_has_to_be_the_host_of_the_url() {
    let directory = TempDir::new().expect("a folder");
    let Some(tls) = certificate(directory.path()) else {
        return println!("SKIPPED: there is no openssl that makes a certificate");
    };
    let answers: Vec<Answer> = vec![status(200, ""); 3];
    let receiver = Receiver::encrypted(answers, tls);
    let certificates = Some(directory.path().join("certificate.pem"));
    let world = World::new(here(Options { certificates, ..options() }));
    let id = world.push(&format!("https://hooks.example:{}/", receiver.port), "{}");
    world.until(id, State::Completed);
    receiver.request();

    let other = world.push(&format!("https://other.example:{}/", receiver.port), "{}");
    let said = world.failure(other, State::Retrying);
    assert!(said.contains("encrypting to other.example: "), "{said}");

    let strangers = World::new(here(options()));
    let id = strangers.push(&format!("https://hooks.example:{}/", receiver.port), "{}");
    let said = strangers.failure(id, State::Retrying);
    assert!(said.contains("encrypting to hooks.example: "), "{said}");
    assert!(receiver.is_quiet(), "nothing was sent to whom it was not for");
}

#[test]
fn a_receiver_that_does_not_encrypt_is_sent_nothing() {
    let receiver =
        Receiver::new(vec![Answer::Deaf("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]);
    let world = World::new(options());
    let id = world.push(&format!("https://127.0.0.1:{}/", receiver.port), "{\"n\":1}");
    let said = world.failure(id, State::Retrying);
    assert!(said.contains("encrypting to 127.0.0.1: "), "{said}");
    let sent = receiver.request().line;
    assert!(!sent.contains("POST") && !sent.contains("\"n\""), "{sent}");
}
