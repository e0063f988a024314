//! Columns of a file to columns of a table.

use plimsoll::format::{Format, Mapping, MappingOptions, RecordError, RecordReader};
use plimsoll::record::{Column, ColumnType, Schema, Value};

use super::reader;

fn schema() -> Schema {
    let mut id = Column::nullable("id", ColumnType::Int);
    id.nullable = false;
    let columns = vec![
        id,
        Column::nullable("unit_price", ColumnType::Money),
        Column::nullable("name", ColumnType::Text),
    ];
    Schema { columns }
}

fn rename(from: &str, to: &str) -> MappingOptions {
    MappingOptions { renames: vec![(from.into(), to.into())], ..MappingOptions::default() }
}

/// The rows or refusals of a CSV text.
fn rows(text: &str, options: MappingOptions) -> Vec<Result<Vec<Value>, String>> {
    let mut reader = reader(Format::Csv, text.as_bytes());
    let mapping = Mapping::from_header(reader.columns(), &schema(), options).unwrap();
    apply(&mut *reader, mapping)
}

fn apply(reader: &mut dyn RecordReader, mut mapping: Mapping) -> Vec<Result<Vec<Value>, String>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        let applied = mapping.apply(&record, &mut row);
        rows.push(applied.map(|()| row.clone()).map_err(|e: RecordError| e.to_string()));
    }
    rows
}

fn refused(header: &str, options: MappingOptions) -> String {
    let reader = reader(Format::Csv, header.as_bytes());
    let error = Mapping::from_header(reader.columns(), &schema(), options).err().unwrap();
    assert_eq!(error.kind(), plimsoll::ErrorKind::Invalid);
    error.to_string()
}

fn tea() -> Vec<Value> {
    vec![Value::Int(1), Value::Money("2.55".parse().unwrap()), Value::Text("tea".into())]
}

#[test]
fn names_match_exactly_or_by_their_letters_or_by_a_rename() {
    for header in
        ["id,unit_price,name", "ID,Unit Price,NAME", "Id,unitPrice,name", "i-d,UNIT-PRICE,n_ame"]
    {
        let text = format!("{header}\n1,2.55,tea\n");
        assert_eq!(rows(&text, MappingOptions::default()), [Ok(tea())], "{header}");
    }
    let text = "cost,name,id\n2.55,tea,1\n";
    assert_eq!(rows(text, rename("cost", "unit_price")), [Ok(tea())]);
}

#[test]
fn an_exact_name_wins_where_the_table_has_two_of_the_same_letters() {
    let columns = ["a_b", "ab"].map(|name| Column::nullable(name, ColumnType::Int));
    let schema = Schema { columns: columns.into() };
    let reader = reader(Format::Csv, b"ab,a_b\n1,2\n");
    let mapping = Mapping::from_header(reader.columns(), &schema, MappingOptions::default());
    let mut reader = reader;
    let rows = apply(&mut *reader, mapping.unwrap());
    assert_eq!(rows, [Ok(vec![Value::Int(2), Value::Int(1)])]);
    let guess: [Box<str>; 1] = ["A B".into()];
    assert!(Mapping::from_header(&guess, &schema, MappingOptions::default()).is_err());
}

#[test]
fn an_unknown_column_is_refused_with_the_allowed_list_or_ignored_when_asked() {
    let message = refused("id,colour,size\n", MappingOptions::default());
    assert!(message.contains("the file's columns 'colour', 'size': no such column"), "{message}");
    assert!(message.contains("allowed are 'id', 'unit_price', 'name'"), "{message}");
    let ignore = MappingOptions { ignore_unknown: true, ..MappingOptions::default() };
    let row = vec![Value::Int(1), Value::Null, Value::Null];
    assert_eq!(rows("id,colour\n1,red\n", ignore), [Ok(row)]);
}

#[test]
fn a_header_that_does_not_fit_the_table_is_refused() {
    let plain = MappingOptions::default;
    assert!(refused("name\n", plain()).contains("column 'id' must have a value"));
    assert!(refused("id,ID\n", plain()).contains("'id', 'ID' both are column 'id'"));
    assert!(refused("id\n", rename("cost", "name")).contains("'cost' names no column of the file"));
    assert!(refused("id\n", rename("id", "key")).contains("id=key names no column of the table"));
}

#[test]
fn a_value_that_does_not_fit_names_line_file_column_and_what_is_allowed() {
    let text = "Id,Unit Price\nx,1\n,1\n2,0.00001\n9223372036854775808,\n3,\"\"\n4,5\n";
    let rows = rows(text, MappingOptions::default());
    let expected = [
        "line 2, column 'Id': 'x' is not a whole number between -2^63 and 2^63-1",
        "line 3, column 'id': a value of type int is needed and there is none",
        "line 4, column 'Unit Price': '0.00001' is not an amount with at most 4 decimals in the \
         range of ±922337203685477.5807",
        "line 5, column 'Id': '9223372036854775808' is not a whole number between -2^63 and \
         2^63-1",
        "line 6, column 'Unit Price': '' is not an amount with at most 4 decimals in the range \
         of ±922337203685477.5807",
    ];
    for (row, message) in rows.iter().zip(expected) {
        assert_eq!(row.as_ref().unwrap_err(), message);
    }
    assert!(rows[5].is_ok());
}

#[test]
fn the_guard_is_stripped_from_text_only_when_asked() {
    let text = "id,name\n1,'=1+1\n";
    let strip = MappingOptions { strip_guard: true, ..MappingOptions::default() };
    let name = |options| rows(text, options).remove(0).unwrap().remove(2);
    assert_eq!(name(strip), Value::Text("=1+1".into()));
    assert_eq!(name(MappingOptions::default()), Value::Text("'=1+1".into()));
}

#[test]
fn json_names_are_learnt_as_they_come_and_judged_record_by_record() {
    let text = b"{\"name\":\"tea\",\"id\":1,\"Unit Price\":2.55}\n{\"id\":2,\"colour\":1}\n\
                 {\"id\":3}\n\
                 {\"name\":null}\n{\"id\":4,\"ID\":5}\n\
                 {\"unit_price\":\"2.55\",\"ID\":1,\"name\":\"tea\"}\n";
    let mut reader = reader(Format::Ndjson, text);
    let mapping = Mapping::by_name(&schema(), MappingOptions::default()).unwrap();
    let rows = apply(&mut *reader, mapping);
    assert_eq!(rows[0], Ok(tea()));
    let unknown = rows[1].as_ref().unwrap_err();
    assert!(unknown.starts_with("line 2, column 'colour': no such column; allowed are 'id'"));
    assert_eq!(rows[2], Ok(vec![Value::Int(3), Value::Null, Value::Null]));
    let missing = "line 4, column 'id': a value of type int is needed and there is none";
    assert_eq!(rows[3], Err(missing.into()));
    assert!(rows[4].as_ref().unwrap_err().contains("another name of this record is column 'id'"));
    assert_eq!(rows[5], Ok(tea()));
}
