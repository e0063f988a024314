//! A row of 200 MB: read where the limit has room for it, refused with what is needed elsewhere.

use std::io::Write as _;
use std::path::Path;

use crate::corpus::folder;
use crate::tool::{Tool, optimised};

const ROW_BYTES: usize = 200 << 20;
/// The longest record they are told, and the least limit each tool is documented to take it in.
const TOOLS: [(&[&str], &str); 4] = [
    (&["sort", "--by", "id"], SMALL),
    (&["head"], SMALL),
    (&["count"], SMALL),
    (&["convert", "--to", "ndjson"], "1G"),
];
const SMALL: &str = "512M";
const RECORD_MAX: [&str; 2] = ["--record-max", "201M"];

fn write_rows(path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    file.write_all(b"id,note\n3,a\n1,").unwrap();
    let piece = [b'x'; 1 << 20];
    (0..ROW_BYTES / piece.len()).for_each(|_| file.write_all(&piece).unwrap());
    file.write_all(b"\n2,b\n").unwrap();
}

#[test]
fn a_row_of_200_mb_is_read_where_it_fits_and_refused_with_line_and_option_elsewhere() {
    if optimised().is_none() {
        println!("SKIPPED: TESTED_BINARY does not name an optimised binary");
        return;
    }
    let folder = folder();
    let folder = folder.path();
    write_rows(&folder.join("in.csv"));
    for (tool, limit) in TOOLS {
        let run = |extra: &[&str]| {
            let args = [tool, &["in.csv", "-o", "out", "--threads", "1"], extra].concat();
            Tool::fastest(folder, &args).run()
        };
        let refused = run(&[]);
        refused.expect(1, &["line 3: ", " 1048576 are allowed", "(--record-max)"]);
        assert!(!folder.join("out").exists(), "{tool:?}");
        let refused = run(&[&RECORD_MAX[..], &["--memory", "128M"]].concat());
        refused.expect(1, &["needs a workspace of ", " at least, and it is ", "(--record-max)"]);
        let ended = run(&[&RECORD_MAX[..], &["--memory", limit, "--json"]].concat());
        ended.expect(0, &[]);
        let summary: serde_json::Value =
            serde_json::from_str(ended.err.lines().last().unwrap()).unwrap();
        let peak = summary["peak_bytes"].as_u64().unwrap();
        println!("{tool:?}: VmHWM {peak} under {limit}");
        let limit_bytes = limit.parse::<plimsoll::units::ByteSize>().unwrap().bytes();
        assert!(peak > ROW_BYTES as u64 && peak <= limit_bytes, "{tool:?}: {peak}");
        assert_eq!(summary["rows"], 3, "{tool:?}");
        std::fs::remove_file(folder.join("out")).unwrap();
    }
}
