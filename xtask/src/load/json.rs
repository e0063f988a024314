//! A flat JSON object, written field by field.
//!
//! Promises: text is escaped; numbers keep three decimals, which is what a measurement is worth.
//! Never: nesting beyond a list of texts.

use std::fmt::Write;

/// An object under construction.
#[derive(Default)]
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn number(mut self, name: &str, value: f64) -> Self {
        self.name(name);
        write!(self.text, "{:.3}", if value.is_finite() { value } else { 0.0 }).ok();
        self
    }

    pub(super) fn count(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        write!(self.text, "{value}").ok();
        self
    }

    pub(super) fn texts(mut self, name: &str, values: &[String]) -> Self {
        self.name(name);
        let quoted: Vec<String> = values.iter().map(|value| quote(value)).collect();
        write!(self.text, "[{}]", quoted.join(", ")).ok();
        self
    }

    pub(super) fn finish(self) -> String {
        format!("{{{}}}", self.text)
    }

    fn name(&mut self, name: &str) {
        let comma = if self.text.is_empty() { "" } else { ", " };
        write!(self.text, "{comma}{}: ", quote(name)).ok();
    }
}

fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
