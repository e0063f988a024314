//! Any field's text, read as a number: the way for what is not short and plain.
//!
//! ```text
//!   field  = blank* [sign] (digits | inf | infinity | nan) blank*    else it is other text
//!   digits = whole [. fraction] [e exponent]                         one digit at least
//! ```
//!
//! Promises: one number has one reading however it is written; any length, no copy.
//! Never: an error.

/// Exponents at or beyond make the field other text: those within fill the 54 bits of a word.
pub(super) const EXPONENT_END: i64 = 1 << 53;

/// What a field says.
pub(super) enum Reading<'a> {
    Number(Decimal<'a>),
    Infinite { negative: bool },
    Nan,
    Text(&'a [u8]),
}

/// A number: the digits of `whole` and `fraction` together neither begin nor end with zero, and
/// there are none for zero.
pub(super) struct Decimal<'a> {
    pub(super) negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    /// Power of ten of the first digit, within ±2^53.
    pub(super) exponent: i64,
}

impl Decimal<'_> {
    /// The significant digits, 0 to 9 each.
    pub(super) fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.iter().chain(self.fraction).map(|byte| byte - b'0')
    }

    /// How many there are; none for zero.
    pub(super) fn length(&self) -> usize {
        self.whole.len() + self.fraction.len()
    }
}

/// Reads a field.
#[cold]
pub(super) fn read(field: &[u8]) -> Reading<'_> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = field.iter().position(|byte| !blank(byte)).unwrap_or(field.len());
    let to = field.iter().rposition(|byte| !blank(byte)).map_or(from, |last| last + 1);
    let (negative, unsigned) = match &field[from..to] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let is = |word: &[u8]| unsigned.eq_ignore_ascii_case(word);
    if is(b"nan") {
        return Reading::Nan;
    }
    if is(b"inf") || is(b"infinity") {
        return Reading::Infinite { negative };
    }
    match decimal(negative, unsigned) {
        Some(number) => Reading::Number(number),
        None => Reading::Text(field),
    }
}

fn decimal(negative: bool, unsigned: &[u8]) -> Option<Decimal<'_>> {
    let (mut whole, rest) = split_digits(unsigned);
    let (mut fraction, rest) = match rest {
        [b'.', rest @ ..] => split_digits(rest),
        _ => (&rest[..0], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = match rest {
        [] => 0,
        [b'e' | b'E', rest @ ..] => exponent(rest)?,
        _ => return None,
    };
    whole = &whole[zeros(whole.iter())..];
    let mut point = whole.len() as i64;
    if whole.is_empty() {
        let skipped = zeros(fraction.iter());
        fraction = &fraction[skipped..];
        point = -(skipped as i64);
    }
    fraction = &fraction[..fraction.len() - zeros(fraction.iter().rev())];
    if fraction.is_empty() {
        whole = &whole[..whole.len() - zeros(whole.iter().rev())];
    }
    if whole.is_empty() && fraction.is_empty() {
        return Some(Decimal { negative: false, whole, fraction, exponent: 0 });
    }
    let exponent = exponent.saturating_add(point - 1);
    let fits = -EXPONENT_END < exponent && exponent < EXPONENT_END;
    fits.then_some(Decimal { negative, whole, fraction, exponent })
}

/// A whole number; one that no `i64` holds becomes the nearest that it holds.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let (digits, rest) = split_digits(digits);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let add = |value: i64, byte: &u8| value.saturating_mul(10).saturating_add((byte - b'0').into());
    let value = digits.iter().fold(0_i64, add);
    Some(if negative { -value } else { value })
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

fn zeros<'a>(digits: impl Iterator<Item = &'a u8>) -> usize {
    digits.take_while(|digit| **digit == b'0').count()
}
