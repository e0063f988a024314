//! The secrets that sign what is pushed, by name, and the signature.
//!
//! ```text
//!   [billing]                              whsec_ + base64 of 24 to 64 bytes
//!   keys = ["whsec_…"]                     two while one is exchanged: each signs
//!   hosts = ["hooks.example.org"]          to these alone; left out: to any
//!
//!   v1,base64(HMAC-SHA256(key, "{webhook-id}.{webhook-timestamp}.{body}"))     Standard Webhooks
//! ```
//!
//! Promises: what is wrong is named with the secret's name.
//! Never: a secret in a message, a log or a job; it has no `Debug`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use plimsoll_store::nearest;
use ring::hmac;
use serde::Deserialize;

use super::allow::{is_host, plain};

/// What every key begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a key, as Standard Webhooks has it.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Keys of a secret: the new one and the old one, and one to spare.
const KEYS_MAX: usize = 3;
/// Secrets of a file.
const SECRETS_MAX: usize = 1_000;
/// Hosts of a secret.
const HOSTS_MAX: usize = 64;
/// Bytes of a file: that of every secret there can be.
const SECRETS_BYTES_MAX: usize = 1 << 20;

/// The secrets of a process, by name.
#[derive(Default)]
pub struct Secrets {
    named: BTreeMap<Box<str>, Secret>,
}

pub(super) struct Secret {
    keys: Vec<hmac::Key>,
    hosts: Vec<Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretToml {
    keys: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
}

impl Secrets {
    /// Reads the file of secrets at `path`.
    ///
    /// # Errors
    /// The file's name, with what the system says or what [`Secrets::parse`] does.
    pub fn open(path: &Path) -> Result<Self, String> {
        let fail = |why: String| format!("push.secrets, {}: {why}", path.display());
        let file = File::open(path).map_err(|e| fail(e.to_string()))?;
        let mut text = String::new();
        // One byte more, so that what is too large is seen to be.
        let read = file.take(SECRETS_BYTES_MAX as u64 + 1).read_to_string(&mut text);
        read.map_err(|e| fail(e.to_string()))?;
        Self::parse(&text).map_err(fail)
    }

    /// Reads the text of a file of secrets.
    ///
    /// # Errors
    /// The name of the secret that is wrong, and what it should be; never the secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > SECRETS_BYTES_MAX {
            return Err(format!("it has more than {SECRETS_BYTES_MAX} bytes"));
        }
        // The parser's whole message shows the line, and the line may hold a key.
        let read: BTreeMap<String, SecretToml> = toml::from_str(text).map_err(|e| {
            let before = text.get(..e.span().map_or(0, |span| span.start)).unwrap_or_default();
            format!("line {}: it is not `[name]` with `keys` and `hosts`", 1 + lines(before))
        })?;
        if read.len() > SECRETS_MAX {
            return Err(format!("it has more than {SECRETS_MAX} secrets"));
        }
        let named = read.into_iter().map(|(name, secret)| {
            plimsoll_jobs::check_name("secret", &name).map_err(|e| e.to_string())?;
            let secret = secret.read().map_err(|why| format!("[{name}]: {why}"))?;
            Ok((name.into(), secret))
        });
        Ok(Self { named: named.collect::<Result<_, String>>()? })
    }

    /// The secret of a name, if it may be used for a host.
    pub(super) fn get(&self, name: &str, host: &str) -> Result<&Secret, String> {
        let Some(secret) = self.named.get(name) else {
            let near = nearest(name, self.named.keys().map(|name| &**name));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(format!("push.secrets has no secret called {name:?}{hint}"));
        };
        if secret.hosts.is_empty() || secret.hosts.contains(&plain(host)) {
            return Ok(secret);
        }
        Err(format!("the secret {name} is not for {host}: its hosts in push.secrets are others"))
    }
}

fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

impl SecretToml {
    fn read(self) -> Result<Secret, String> {
        if self.keys.is_empty() || self.keys.len() > KEYS_MAX {
            return Err(format!("it has 1 to {KEYS_MAX} keys, not {}", self.keys.len()));
        }
        if self.hosts.len() > HOSTS_MAX || !self.hosts.iter().all(|host| is_host(host)) {
            return Err(format!("its hosts are at most {HOSTS_MAX} names without scheme or port"));
        }
        let key = |(number, text): (usize, &String)| {
            let bytes = text.strip_prefix(PREFIX).and_then(|text| BASE64.decode(text).ok());
            let bytes = bytes.filter(|bytes| KEY_BYTES.contains(&bytes.len()));
            let bytes = bytes.ok_or_else(|| {
                format!(
                    "key {number} is not {PREFIX} and the base64 of {} to {} bytes",
                    KEY_BYTES.start(),
                    KEY_BYTES.end()
                )
            })?;
            Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
        };
        let keys = (1..).zip(&self.keys).map(key).collect::<Result<_, String>>()?;
        Ok(Secret { keys, hosts: self.hosts.iter().map(|host| plain(host)).collect() })
    }
}

impl Secret {
    /// The value of `webhook-signature`: one signature of each key.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signed = self.keys.iter().map(|key| {
            let mut context = hmac::Context::with_key(key);
            context.update(format!("{id}.{timestamp}.").as_bytes());
            context.update(body);
            format!("v1,{}", BASE64.encode(context.sign()))
        });
        signed.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example of the libraries of Standard Webhooks.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let other = format!("whsec_{}", BASE64.encode([7; 32]));
        let text = format!("[a]\nkeys = [\"{KEY}\"]\n[b]\nkeys = [\"{other}\", \"{KEY}\"]");
        let secrets = Secrets::parse(&text).unwrap_or_else(|e| panic!("{e}"));
        let sign = |name: &str| {
            let secret = secrets.get(name, "any.example").unwrap_or_else(|e| panic!("{e}"));
            let body = br#"{"test": 2432232314}"#;
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
        };
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign("a"), expected);
        assert!(sign("b").ends_with(&format!(" {expected}")), "{}", sign("b"));
    }

    #[test]
    fn a_secret_is_used_for_its_hosts_alone() {
        let text = format!("[billing]\nkeys = [\"{KEY}\"]\nhosts = [\"Hooks.example\"]");
        let secrets = Secrets::parse(&text).unwrap_or_else(|e| panic!("{e}"));
        assert!(secrets.get("billing", "hooks.EXAMPLE").is_ok());
        assert!(secrets.get("billing", "evil.example").is_err());
        let said = secrets.get("biling", "hooks.example").err().unwrap_or_default();
        assert!(said.contains("did you mean billing?"), "{said}");
    }

    #[test]
    fn a_file_of_secrets_is_read_and_one_that_is_not_there_is_named() {
        let directory = tempfile::TempDir::new().expect("a folder");
        let path = directory.path().join("secrets.toml");
        let said = Secrets::open(&path).err().unwrap_or_default();
        assert!(said.contains("secrets.toml: No such file"), "{said}");
        std::fs::write(&path, format!("[a]\nkeys = [{KEY:?}]")).expect("written");
        assert!(Secrets::open(&path).is_ok_and(|secrets| secrets.get("a", "x").is_ok()));
        std::fs::write(&path, "# ".repeat(SECRETS_BYTES_MAX)).expect("written");
        assert!(Secrets::open(&path).err().unwrap_or_default().contains("more than"));
    }

    #[test]
    fn a_file_of_secrets_that_is_wrong_is_told_without_the_secret() {
        let short = BASE64.encode([7; 23]);
        let long = BASE64.encode([7; 65]);
        let good = KEY.trim_start_matches(PREFIX);
        for (wrong, said) in [
            (format!("[a]\nkeys = [\"{good}\"]"), "[a]: key 1"),
            (format!("[a]\nkeys = [\"{KEY}\", \"whsec_{short}\"]"), "[a]: key 2"),
            (format!("[a]\nkeys = [\"whsec_{long}\"]"), "24 to 64 bytes"),
            ("[a]\nkeys = []".to_owned(), "1 to 3 keys"),
            (format!("[a]\nkeys = [\"{KEY}\"]\nhosts = [\"http://x\"]"), "hosts"),
            (format!("[a]\nkeys = \"{KEY}\""), "line 2"),
            (format!("[a]\nkey = [\"{KEY}\"]"), "line"),
            (format!("['a b']\nkeys = [\"{KEY}\"]"), "is not a name"),
            (format!("#{}", " ".repeat(SECRETS_BYTES_MAX)), "more than"),
        ] {
            let message = Secrets::parse(&wrong).err().unwrap_or_default();
            assert!(message.contains(said), "{message}");
            assert!(!message.contains(good) && !message.contains(&short), "{message}");
        }
    }
}
