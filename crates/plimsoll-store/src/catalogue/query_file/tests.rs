use super::*;

const GOOD: &str = r#"--! title = "Revenue by day"
--! about = "Of paid orders"
--! params = { from = "date", to = { type = "date", default = "2026-12-31" } }
--! key = ["day"]
--! order = "-day"
--! columns = { total = "money" }
--! cost_max = 5_000

-- :from here is a comment, and ':from' there a text
select day, sum(total) as total, ':from' as x from orders
where day >= :from::date and day < :to;
"#;

fn refused(text: &str) -> String {
    QueryFile::parse("a-query", text).expect_err(text).to_string()
}

#[test]
fn a_file_is_cut_at_its_parameters_and_at_nothing_else() {
    let file = QueryFile::parse("daily_revenue", GOOD).expect("a query");
    let names: Vec<&str> = file.text.parameters.iter().map(|p| &*p.name).collect();
    assert_eq!(names, ["from", "to"]);
    assert_eq!(file.text.parameters[0].default, None);
    assert_eq!(file.text.parameters[1].default, Some(Value::Text("2026-12-31".into())));
    let taken = file.text.pieces.iter().filter(|p| matches!(p, Piece::Parameter(_))).count();
    assert_eq!(taken, 2);
    let text = file.text.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.to_string(),
        Piece::Parameter(at) => format!("<{at}>"),
    });
    let text: String = text.collect();
    assert!(text.ends_with("where day >= <0>::date and day < <1>\n\n"), "{text}");
    assert!(text.contains("-- :from here"), "{text}");
    assert_eq!((file.text.cost_max, file.text.time_ms), (5_000.0, TIME_MS));
    assert_eq!(file.declared("total").expect("a type"), Some(ColumnType::Money));
}

#[test]
fn a_mistake_in_the_header_is_told_with_its_line() {
    let message = refused("--! title = \"A\"\n--! kee = [\"id\"]\nselect 1 as id");
    assert!(message.contains("line 2") && message.contains("kee"), "{message}");
    assert!(message.contains("`key`"), "{message}");
    let message = refused("--! params = { a = \"number\" }\nselect :a as a");
    assert!(message.contains("'number'; allowed: text, int"), "{message}");
    let message = refused("--! params = { limit = \"int\" }\nselect :limit as a");
    assert!(message.contains("already"), "{message}");
    let message =
        refused("--! params = { a = { type = \"int\", default = \"x\" } }\nselect :a as a");
    assert!(message.contains("'x' is not a whole number"), "{message}");
    for bounds in ["time_ms = 0", "cost_max = -1", "cost_max = nan", "time_ms = 99999999"] {
        refused(&format!("--! {bounds}\nselect 1 as a"));
    }
}

#[test]
fn a_name_without_a_parameter_and_a_parameter_without_a_name_are_refused() {
    let header = "--! params = { from = \"date\" }\n";
    let message = refused(&format!("{header}select :fromm as a"));
    assert!(message.contains("did you mean :from?"), "{message}");
    let message = refused(&format!("{header}select ':from' as a -- :from"));
    assert!(message.contains("from is nowhere used"), "{message}");
}

#[test]
fn a_second_statement_or_none_is_refused() {
    assert!(refused("select 1 as a; select 2").contains("one statement"));
    assert!(refused("select 1 as a; drop table a").contains("one statement"));
    assert!(refused("-- nothing\n ; ").contains("no statement"));
    QueryFile::parse("a", "select ';' as a; -- over\n").expect("one statement");
    assert!(QueryFile::parse("../a", "select 1").is_err());
}

#[test]
fn a_day_is_a_day_and_a_value_has_its_type() {
    let parameter = |kind: &str| QueryParameter {
        name: "p".into(),
        kind: ParameterKind::from_name(kind).expect("a kind"),
        default: None,
        about: None,
    };
    let day = parameter("date");
    assert_eq!(day.parse("2026-02-28").expect("a day"), Value::Text("2026-02-28".into()));
    for wrong in ["2026-02-30", "2026-2-28", "28.02.2026", "", "2026-02-28T00:00", "today"] {
        assert!(day.parse(wrong).is_err(), "{wrong}");
    }
    let amount = parameter("money").parse("1.5").expect("an amount");
    assert_eq!(amount, Value::Money("1.5".parse().expect("an amount")));
    assert!(parameter("int").parse("1.5").is_err());
    assert!(parameter("text").parse("a\0b").is_err());
}
