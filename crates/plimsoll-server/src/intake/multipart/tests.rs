use super::{Described, Multipart};

const TYPE: &str = "multipart/form-data; boundary=\"XY\"";

/// The file of a body that comes in pieces of so many bytes.
fn read(body: &[u8], piece: usize) -> Result<(Vec<u8>, Described), String> {
    let mut multipart = Multipart::new(TYPE)?;
    let mut out = Vec::new();
    for piece in body.chunks(piece) {
        multipart.feed(piece, &mut out)?;
    }
    multipart.finish()?;
    Ok((out, multipart.described().expect("a file").clone()))
}

fn body(file: &str) -> Vec<u8> {
    format!(
        "--XY\r\nContent-Type: text/csv\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".csv\"\r\n\r\n\
         {file}\r\n--XY--\r\n"
    )
    .into_bytes()
}

#[test]
fn the_bytes_of_a_file_are_the_same_whatever_the_pieces() {
    let long = "1,x\r\n--XZ\r\n--X\r\r\n".repeat(50);
    for file in ["", "a,b\r\n1,2\r\n", "\r\n--X", "\r\r\n-", &long] {
        let body = body(file);
        for piece in 1..=body.len() {
            let (bytes, described) = read(&body, piece).expect("a file");
            assert_eq!(String::from_utf8_lossy(&bytes), file, "pieces of {piece}");
            assert_eq!(described.file_name.as_deref(), Some("a \"b\".csv"));
            assert_eq!(described.media_type.as_deref(), Some("text/csv"));
        }
    }
}

#[test]
fn what_is_held_back_is_a_boundary_at_most() {
    let mut multipart = Multipart::new(TYPE).expect("a boundary");
    let mut out = Vec::new();
    let head = "--XY\r\nContent-Disposition: form-data; name=file\r\n\r\n";
    multipart.feed(head.as_bytes(), &mut out).expect("taken");
    for _ in 0..100 {
        multipart.feed(&[b'\r'; 1_000], &mut out).expect("taken");
        assert!(multipart.held.len() < 8, "{}", multipart.held.len());
    }
    assert_eq!(out.len() + multipart.held.len(), 100_000);
}

#[test]
fn a_body_that_is_no_file_is_refused_with_a_sentence() {
    let part = |disposition: &str| {
        format!("--XY\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n--XY--").into_bytes()
    };
    let file = "form-data; name=\"file\"";
    let twice = format!(
        "--XY\r\ncontent-disposition: {file}\r\n\r\na\r\n--XY\r\ncontent-disposition: {file}\r\n\
         \r\nb\r\n--XY--"
    );
    let many = format!("--XY\r\nx: {}\r\n\r\n", "y".repeat(9_000));
    for (body, expected) in [
        (b"".to_vec(), "before its last boundary"),
        (b"no multipart".to_vec(), "before its last boundary"),
        (b"--XY--".to_vec(), "no part called 'file'"),
        (body("a")[..40].to_vec(), "before its last boundary"),
        (part("form-data; name=\"other\""), "a part called 'other'"),
        (part("form-data"), "a part called ''"),
        (twice.into_bytes(), "two parts called 'file'"),
        (b"--XYnot a line end\r\n".to_vec(), "something else than a line end"),
        (many.into_bytes(), "bytes of headers"),
    ] {
        let error = read(&body, 7).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for wrong in ["multipart/form-data", "multipart/form-data; boundary=", &long] {
        assert!(Multipart::new(wrong).is_err(), "{wrong}");
    }
}
