//! Layers, origins and every way to get a setting wrong.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::key::names;
use super::{Config, Database, KEYS, Origin, Sources, Value};

/// A configuration made of flags alone.
pub(crate) fn with_flags(flags: &[(&'static str, &str)]) -> Config {
    let flags = flags.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
    Config::load(&Sources { flags, ..Sources::default() }).unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

fn from_env(pairs: &[(&str, &str)]) -> Result<Config, String> {
    let sources = Sources { env: variables(pairs), ..Sources::default() };
    Config::load(&sources).map_err(|e| e.to_string())
}

fn from_dotenv(text: &str) -> Result<Config, String> {
    let dotenv = Some((PathBuf::from(".env"), text.to_owned()));
    Config::load(&Sources { dotenv, ..Sources::default() }).map_err(|e| e.to_string())
}

fn from_file(text: &str) -> Result<Config, String> {
    let file = Some((PathBuf::from("plimsoll.toml"), text.to_owned()));
    Config::load(&Sources { file, ..Sources::default() }).map_err(|e| e.to_string())
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.bytes("memory.limit"), None);
    assert_eq!(config.path("data_dir"), Some(Path::new("./plimsoll-data")));
    assert_eq!(config.path("spill.dir"), Some(Path::new("./plimsoll-data/spill")));
    assert_eq!(config.database(), None);
    assert_eq!(config.text("http.host"), "127.0.0.1");
    assert_eq!(config.integer("http.port"), 8000);
    assert_eq!(config.duration_ms("http.stall_timeout"), 30_000);
    assert!(config.is_on("log.access"));
    assert!(config.settings().all(|s| s.origin == Origin::Default));
    assert_eq!(config.settings().count(), KEYS.len());
}

#[test]
fn flag_beats_environment_beats_dotenv_beats_file_beats_default() {
    // Bit by bit: which layers set the port, and the strongest of them has to win.
    for layers in 0u32..16 {
        let on = |bit: u32| layers & (1 << bit) != 0;
        let sources = Sources {
            flags: on(3).then(|| ("http.port", "1003".to_owned())).into_iter().collect(),
            env: on(2)
                .then(|| ("PLIMSOLL_HTTP_PORT".to_owned(), "1002".to_owned()))
                .into_iter()
                .collect(),
            dotenv: on(1).then(|| (".env".into(), "\nPLIMSOLL_HTTP_PORT=1001".to_owned())),
            file: on(0).then(|| ("p.toml".into(), "[http]\nport = 1000".to_owned())),
        };
        let config = Config::load(&sources).unwrap();
        let (port, origin) = match layers {
            8.. => (1003, "--port"),
            4.. => (1002, "PLIMSOLL_HTTP_PORT"),
            2.. => (1001, ".env:2 (PLIMSOLL_HTTP_PORT)"),
            1 => (1000, "p.toml:2"),
            _ => (8000, "default"),
        };
        assert_eq!(config.integer("http.port"), port, "layers {layers:04b}");
        assert_eq!(config.origin("http.port").to_string(), origin, "layers {layers:04b}");
    }
}

#[test]
fn every_key_is_set_by_each_of_its_variables_and_by_the_file() {
    for key in &KEYS {
        let (text, toml) = match key.kind {
            super::key::Kind::Url => ("https://a.example", "'https://a.example'"),
            super::key::Kind::Names => ("b,a", "'b,a'"),
            super::key::Kind::Hosts => ("a.example,10.0.0.0/8", "'a.example,10.0.0.0/8'"),
            super::key::Kind::Bytes { .. } => ("77M", "'77M'"),
            super::key::Kind::Directory => ("elsewhere", "'elsewhere'"),
            super::key::Kind::File => ("file.toml", "'file.toml'"),
            super::key::Kind::Database => ("sqlite:///./x.db", "'sqlite:///./x.db'"),
            super::key::Kind::Replicas => {
                ("postgres://h/a,postgres://i/a", "['postgres://h/a', 'postgres://i/a']")
            }
            super::key::Kind::Host => ("::1", "'::1'"),
            super::key::Kind::Integer { .. } => ("9", "9"),
            super::key::Kind::Duration { .. } => ("9s", "'9s'"),
            super::key::Kind::Choice(words) => (words[1], &*format!("'{}'", words[1])),
            super::key::Kind::Switch => ("false", "false"),
        };
        let expected = key.kind.read(text).unwrap();
        let value = |config: &Config| config.setting(key.name).value.clone();
        for name in key.variables() {
            let config = from_env(&[(&name, text)]).unwrap();
            assert_eq!(value(&config), expected, "{name}");
            assert_eq!(config.origin(key.name), &Origin::Variable(name.clone()));
            let config = from_dotenv(&format!("{name}='{text}'")).unwrap();
            assert_eq!(value(&config), expected, "{name} in .env");
        }
        let config = from_file(&format!("{} = {toml}", key.name)).unwrap();
        assert_eq!(value(&config), expected, "{} in the file", key.name);
    }
}

#[test]
fn of_two_variables_for_one_key_ours_is_stronger_whatever_their_order() {
    let ours = ("PLIMSOLL_DATABASE_URL", "ours.db");
    // What the application beside us uses may be a database we do not open.
    let theirs = ("DATABASE_URL", "mysql://app:secret@db/app");
    for pairs in [[ours, theirs], [theirs, ours]] {
        let config = from_env(&pairs).unwrap();
        assert_eq!(config.database(), Some(&Database::File("ours.db".into())));
    }
    let config = from_dotenv("SPACETIME_MEMORY_LIMIT=64M\nPLIMSOLL_MEMORY_LIMIT=32M\n").unwrap();
    assert_eq!(config.bytes("memory.limit"), Some(32 << 20));
    let config = from_dotenv("PLIMSOLL_MEMORY_LIMIT=32M\nPLIMSOLL_MEMORY_LIMIT=48M\n").unwrap();
    assert_eq!(config.bytes("memory.limit"), Some(48 << 20), "the later line counts");
}

#[test]
fn an_empty_variable_is_not_set() {
    let pairs = [("PLIMSOLL_HTTP_PORT", ""), ("PLIMSOLL__HTTP__PORT", "81")];
    assert_eq!(from_env(&pairs).unwrap().integer("http.port"), 81);
    assert_eq!(from_dotenv("PLIMSOLL_HTTP_PORT=\n").unwrap().integer("http.port"), 8000);
}

#[test]
fn the_spill_directory_follows_the_data_directory_unless_it_is_set() {
    let config = with_flags(&[("data_dir", "/srv/p")]);
    assert_eq!(config.path("spill.dir"), Some(Path::new("/srv/p/spill")));
    let config = with_flags(&[("data_dir", "/srv/p"), ("spill.dir", "/fast")]);
    assert_eq!(config.path("spill.dir"), Some(Path::new("/fast")));
}

#[test]
fn a_wrong_value_is_named_with_key_origin_and_what_is_allowed() {
    for (name, text, message) in [
        (
            "SPACETIME_MEMORY_LIMIT",
            "1M",
            "memory.limit from SPACETIME_MEMORY_LIMIT is '1M': allowed is a size from 16 MiB up, \
             such as 256M or 0.5G",
        ),
        (
            "PLIMSOLL_HTTP_PORT",
            "65536",
            "http.port from PLIMSOLL_HTTP_PORT is '65536': allowed is an integer from 0 to 65535",
        ),
        (
            "PLIMSOLL_HTTP_STALL_TIMEOUT",
            "30",
            "http.stall_timeout from PLIMSOLL_HTTP_STALL_TIMEOUT is '30': allowed is a time from \
             1s to 1h, such as 500ms, 30s or 2m",
        ),
        (
            "PLIMSOLL__LOG__FORMAT",
            "xml",
            "log.format from PLIMSOLL__LOG__FORMAT is 'xml': allowed is one of auto, pretty, json",
        ),
        (
            "PLIMSOLL_LOG_ACCESS",
            "maybe",
            "log.access from PLIMSOLL_LOG_ACCESS is 'maybe': allowed is true or false",
        ),
        (
            "PLIMSOLL_HTTP_HOST",
            "a b",
            "http.host from PLIMSOLL_HTTP_HOST is 'a b': allowed is an address such as 127.0.0.1 \
             or ::1, or a name of this host",
        ),
        (
            "PLIMSOLL_DATA_DIR",
            "~/p",
            "data_dir from PLIMSOLL_DATA_DIR is '~/p': '~' is not expanded here, write the \
             path out; allowed is the path of a directory",
        ),
        (
            "DATABASE_URL",
            "mysql://app:secret@db/app",
            "database.url from DATABASE_URL is 'mysql://app:***@db/app': mysql is not a database \
             this opens; allowed is a path, or a URL such as sqlite:///./app.db or \
             postgres://user@host/app",
        ),
    ] {
        assert_eq!(from_env(&[(name, text)]).unwrap_err(), message);
    }
}

#[test]
fn an_unknown_variable_is_an_error_with_a_suggestion() {
    for (name, message) in [
        (
            "PLIMSOLL_MEMORY_LIMT",
            "unknown variable PLIMSOLL_MEMORY_LIMT; did you mean PLIMSOLL_MEMORY_LIMIT?",
        ),
        (
            "SPACETIME_MEMROY_LIMIT",
            "unknown variable SPACETIME_MEMROY_LIMIT; did you mean SPACETIME_MEMORY_LIMIT?",
        ),
        (
            "PLIMSOLL__HTTP__PROT",
            "unknown variable PLIMSOLL__HTTP__PROT; did you mean PLIMSOLL__HTTP__PORT?",
        ),
        (
            "PLIMSOLL_COLOUR_OF_THE_HULL",
            &*format!(
                "unknown variable PLIMSOLL_COLOUR_OF_THE_HULL; a key a.b is the variable \
                 PLIMSOLL_A_B, and the keys are {}",
                names()
            ),
        ),
    ] {
        assert_eq!(from_env(&[(name, "1")]).unwrap_err(), message);
        let text = format!("APP_KEY=1\n{name}=1\n");
        assert_eq!(from_dotenv(&text).unwrap_err(), format!(".env:2: {message}"));
    }
}

#[test]
fn variables_of_other_programs_are_passed_over() {
    let config = from_env(&[("PORT", "x"), ("HTTP_PORT", "x"), ("PLIMSOLL", "x")]).unwrap();
    assert_eq!(config.integer("http.port"), 8000);
    let text = "APP_KEY='open\nAPP_URL=${X}\nnonsense\nHOST=1\nPLIMSOLL_CONFIG=x.toml\n";
    assert!(from_dotenv(text).unwrap().settings().all(|s| s.origin == Origin::Default));
}

#[test]
fn a_line_of_ours_in_dotenv_that_cannot_be_read_is_an_error() {
    for (line, reason) in [
        ("PLIMSOLL_HTTP_PORT 80", "has no '='"),
        ("PLIMSOLL_CONFIG='x.toml", "has a quote that is never closed"),
        ("PLIMSOLL_DATA_DIR='x", "has a quote that is never closed"),
        ("PLIMSOLL_DATA_DIR=${HOME}/p", "has a ${..}, which is not replaced here; write it out"),
    ] {
        let name = line.split([' ', '=']).next().unwrap();
        let error = from_dotenv(&format!("# ours\n\n{line}\n")).unwrap_err();
        assert_eq!(error, format!(".env:3: {name} {reason}"));
    }
}

#[test]
fn what_is_wrong_in_the_file_is_named_with_its_line() {
    for (text, message) in [
        ("[http]\nprot = 80", "2: unknown key http.prot; did you mean http.port?"),
        ("[htpt]\nport = 80", "1: unknown section htpt; did you mean http?"),
        ("\u{feff}\ncolour = 1", &*format!("2: unknown key colour; the keys are {}", names())),
        (
            "[log]\nrotation_of_files = 1",
            "2: unknown key log.rotation_of_files; there are log.format, log.level, log.access",
        ),
        ("\nhttp = 80", "2: http is a section; write [http]"),
        (
            "[http]\n\nport = '80'",
            "3: http.port has type string; write an integer: an integer from 0 to 65535",
        ),
        (
            "[http]\nport = 80.5",
            "2: http.port has type float; write an integer: an integer from 0 to 65535",
        ),
        (
            "[memory]\nlimit = true",
            "2: memory.limit has type boolean; write a string or a number of bytes: a size from \
             16 MiB up, such as 256M or 0.5G",
        ),
        ("[log]\naccess = 'yes'", "2: log.access has type string; write a boolean: true or false"),
        ("data_dir = ['a']", "1: data_dir has type array; write a string: the path of a directory"),
        (
            "[http.port]\nx = 1",
            "1: http.port has type table; write an integer: an integer from 0 to 65535",
        ),
    ] {
        assert_eq!(from_file(text).unwrap_err(), format!("plimsoll.toml:{message}"), "{text}");
    }
    for (text, line) in [("a = \n", 1), ("[log]\nlevel = 'a'\nlevel = 'b'", 3), ("\n[log", 2)] {
        let error = from_file(text).unwrap_err();
        assert!(error.starts_with(&format!("plimsoll.toml:{line}: ")), "{text}: {error}");
    }
}

#[test]
fn numbers_of_the_file_may_be_written_in_any_way_toml_has() {
    let text = "[memory]\nlimit = 0x4000000\n[http]\nport = 8_080\n";
    let config = from_file(text).unwrap();
    assert_eq!(config.bytes("memory.limit"), Some(64 << 20));
    assert_eq!(config.integer("http.port"), 8080);
    for port in ["-1", "65536", "0xffffffffffffffffff"] {
        let error = from_file(&format!("[http]\nport = {port}")).unwrap_err();
        assert!(error.contains("allowed is an integer from 0 to 65535"), "{error}");
    }
}

#[test]
fn all_that_is_wrong_is_reported_at_once() {
    let sources = Sources {
        flags: vec![("http.port", "x".to_owned())],
        env: variables(&[("PLIMSOLL_LOG_LEVEL", "loud")]),
        dotenv: Some((".env".into(), "PLIMSOLL_NO=1".to_owned())),
        file: Some(("p.toml".into(), "no = 1".to_owned())),
    };
    let error = Config::load(&sources).unwrap_err().to_string();
    assert!(error.starts_with("4 settings are wrong:\n"), "{error}");
    for part in ["--port is 'x'", "'loud'", ".env:1: unknown", "p.toml:1: unknown"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_setting_is_shown_as_written_and_without_passwords() {
    let config = with_flags(&[("memory.limit", " 0.5G "), ("database.url", "sqlite:///./u:p@x")]);
    let shown = |name: &str| config.setting(name).shown();
    assert_eq!(shown("memory.limit"), "0.5G");
    assert_eq!(shown("database.url"), "sqlite:///./u:***@x");
    assert_eq!(with_flags(&[("data_dir", "a\x1b[2J")]).setting("data_dir").shown(), "a\u{fffd}[2J");
    assert_eq!(config.setting("http.port").value, Value::Integer(8000));
    let unset = Config::load(&Sources::default()).unwrap();
    assert_eq!(unset.setting("database.url").shown(), "(plimsoll's own file in data_dir)");
}

fn gather(
    directory: &Path,
    config: Option<&Path>,
    env: &[(&str, &str)],
) -> Result<Sources, String> {
    let env = env.iter().map(|(n, v)| (OsString::from(n), OsString::from(v)));
    Sources::gather(Vec::new(), config.map(Path::to_owned), env, directory)
        .map_err(|e| e.to_string())
}

#[test]
fn the_configuration_file_is_the_one_named_most_strongly() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let named = |config: Option<&Path>, env: &[(&str, &str)]| {
        gather(directory.path(), config, env).unwrap().file.map(|(path, _)| path)
    };
    assert_eq!(named(None, &[]), None, "none has to be there");
    for name in ["plimsoll.toml", "dotenv.toml", "env.toml", "flag.toml"] {
        std::fs::write(at(name), "").unwrap();
    }
    assert_eq!(named(None, &[]), Some(at("plimsoll.toml")));
    let text = format!("PLIMSOLL_CONFIG={}\n", at("dotenv.toml").display());
    std::fs::write(at(".env"), text).unwrap();
    assert_eq!(named(None, &[]), Some(at("dotenv.toml")));
    let env = at("env.toml");
    let env = [("PLIMSOLL_CONFIG", env.to_str().unwrap())];
    assert_eq!(named(None, &env), Some(at("env.toml")));
    assert_eq!(named(Some(&at("flag.toml")), &env), Some(at("flag.toml")));
}

#[test]
fn a_file_that_was_named_and_cannot_be_read_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("named.toml");
    let refused = || gather(directory.path(), Some(&file), &[]).unwrap_err();
    assert!(refused().contains("cannot read the settings in"), "{}", refused());
    std::fs::write(&file, b"[http]\nhost = \"\xff\"\n").unwrap();
    assert!(refused().ends_with("named.toml:2: it is not UTF-8"), "{}", refused());
    std::fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(refused().ends_with("it is larger than 1 MiB"), "{}", refused());
}

#[test]
fn a_directory_called_dotenv_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join(".env")).unwrap();
    assert!(gather(directory.path(), None, &[]).unwrap().dotenv.is_none());
}

#[cfg(unix)]
#[test]
fn bytes_that_are_not_text_matter_only_in_variables_of_ours() {
    use std::os::unix::ffi::OsStringExt;
    let gather = |name: &str| {
        let pair = (OsString::from(name), OsString::from_vec(vec![0xff]));
        Sources::gather(Vec::new(), None, [pair], Path::new("")).map(|s| s.env)
    };
    assert_eq!(gather("PATH_OF_SOMEBODY").unwrap(), []);
    let error = gather("PLIMSOLL_DATA_DIR").unwrap_err().to_string();
    assert_eq!(error, "the variable PLIMSOLL_DATA_DIR is not UTF-8");
}
