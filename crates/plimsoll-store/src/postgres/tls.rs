//! Encryption of a connection: what a URL says about it, and the certificates.
//!
//! ```text
//!   sslmode=disable                    plain
//!   sslmode=prefer                     encrypted where the server can        (default, but on this
//!   sslmode=require|verify-full        encrypted, or no connection            machine: disable)
//!   sslrootcert=FILE                   who signs; default: the system's certificates
//! ```
//!
//! Promises: an encrypted connection is always to the host that was named, whatever the mode.
//! Never: a certificate taken on trust.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, ErrorKind, Result};

pub(super) type Tls = MakeRustlsConnect;

/// Where Debian, Alpine, Red Hat and SUSE keep the certificates of the authorities.
const SYSTEM_CERTIFICATES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// What a URL says about encryption.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TlsOptions {
    mode: Option<SslMode>,
    root_certificates: Option<String>,
}

/// Takes the options this module reads out of a URL; the rest is the library's to read.
pub(super) fn take_options(url: &str) -> Result<(String, TlsOptions)> {
    let mut options = TlsOptions::default();
    let Some((front, query)) = url.split_once('?') else { return Ok((url.to_owned(), options)) };
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", mode)) => options.mode = Some(self::mode(mode)?),
            Some(("sslrootcert", file)) => {
                let file = percent_decoded(file);
                options.root_certificates = (file != "system").then_some(file);
            }
            _ => kept.push(pair),
        }
    }
    let front = front.to_owned();
    Ok((if kept.is_empty() { front } else { format!("{front}?{}", kept.join("&")) }, options))
}

fn mode(text: &str) -> Result<SslMode> {
    match text {
        "disable" => Ok(SslMode::Disable),
        "allow" | "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        _ => Err(Error::invalid(format!(
            "sslmode={} is none of disable, prefer, require, verify-full",
            plimsoll::error::excerpt(text)
        ))),
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match pair.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl TlsOptions {
    /// Settles the mode in `config` and reads the certificates it needs.
    pub(super) fn resolve(self, config: &mut tokio_postgres::Config) -> Result<Tls> {
        let near = config.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        });
        let mode = self.mode.unwrap_or(if near { SslMode::Disable } else { SslMode::Prefer });
        config.ssl_mode(mode);
        let mut roots = RootCertStore::empty();
        if mode != SslMode::Disable {
            match &self.root_certificates {
                Some(file) => read_certificates(Path::new(file), &mut roots)?,
                None => {
                    let found = SYSTEM_CERTIFICATES.iter().map(Path::new).find(|f| f.exists());
                    found.map_or(Ok(()), |file| read_certificates(file, &mut roots))?;
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::new(ErrorKind::Io, format!("setting encryption up: {e}")))?;
        let client = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(MakeRustlsConnect::new(client))
    }
}

fn read_certificates(file: &Path, roots: &mut RootCertStore) -> Result<()> {
    let fail = |reason: String| {
        Error::invalid(format!("reading the certificates in {}: {reason}", file.display()))
    };
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(|e| fail(e.to_string()))?.flatten();
    let (added, _ignored) = roots.add_parsable_certificates(certificates);
    if added == 0 { Err(fail("there are none".to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_says_about_encryption_is_taken_out_of_it() {
        let (url, options) =
            take_options("postgres://h/d?sslmode=require&sslrootcert=%2Fa%20b&x=1").expect("read");
        assert_eq!(url, "postgres://h/d?x=1");
        assert_eq!(options.mode, Some(SslMode::Require));
        assert_eq!(options.root_certificates.as_deref(), Some("/a b"));
        assert_eq!(take_options("postgres://h/d").expect("read").0, "postgres://h/d");
        assert!(take_options("postgres://h/d?sslmode=maybe").is_err());
    }

    #[test]
    fn this_machine_is_spoken_to_in_plain_and_another_is_not() {
        let settled = |text: &str| {
            let (url, options) = take_options(text).expect("options");
            let mut config = url.parse::<tokio_postgres::Config>().expect("a URL");
            options.resolve(&mut config).map(|_| config.get_ssl_mode())
        };
        assert_eq!(settled("postgres://localhost/d").expect("settled"), SslMode::Disable);
        assert_eq!(settled("postgres://db.example/d").expect("settled"), SslMode::Prefer);
        assert!(settled("postgres://db.example/d?sslrootcert=/nowhere").is_err());
    }
}
