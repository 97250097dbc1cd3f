//! Messages on stderr as JSON objects, for services that collect logs.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// The format of messages on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// The severity of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A failure.
    Error,
    /// A problem that ends nothing.
    Warning,
    /// Information.
    Note,
}

/// Returns a line: `time`, `level`, `message` and, if there is one, `hint`.
pub fn record(level: Level, message: &str, hint: Option<&str>) -> Map<String, Value> {
    let mut record = Map::new();
    record.insert("time".to_owned(), timestamp(SystemTime::now()).into());
    record.insert("level".to_owned(), serde_json::json!(level));
    record.insert("message".to_owned(), message.into());
    if let Some(hint) = hint {
        record.insert("hint".to_owned(), hint.into());
    }
    record
}

/// Returns a line about progress: that of [`record`] with the event's name and the fields of `of`.
pub fn event(name: &str, message: &str, of: &impl Serialize) -> Map<String, Value> {
    let mut record = record(Level::Note, message, None);
    record.insert("event".to_owned(), name.into());
    if let Ok(Value::Object(fields)) = serde_json::to_value(of) {
        record.extend(fields);
    }
    record
}

/// Writes a line to stderr.
pub fn write(record: Map<String, Value>) {
    let line = format!("{}\n", Value::Object(record));
    // A line that cannot be written to stderr has nowhere else to go.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Formats `time` as in RFC 3339, in UTC with milliseconds.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let [year, month, day] = date(seconds / 86_400);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_millis()
    )
}

/// Returns year, month and day of the day `days` after 1 January 1970.
///
/// The algorithm (<https://howardhinnant.github.io/date_algorithms.html>) starts years in March, so that leap days end them.
fn date(days: u64) -> [u64; 3] {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    [era * 400 + year_of_era + u64::from(month <= 2), month, day]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_767_225_599_005, "2025-12-31T23:59:59.005Z"),
            (1_772_323_200_000, "2026-03-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_millis(milliseconds);
            assert_eq!(timestamp(time), expected);
        }
    }

    #[test]
    fn an_event_has_the_fields_of_what_it_tells_of() {
        let fields = serde_json::json!({"epoch": 2, "loss": 0.5});
        let line = Value::Object(event("step", "epoch 2", &fields)).to_string();
        let (time, rest) = line.split_once(',').unwrap();
        assert!(time.starts_with("{\"time\":\"20"), "{time}");
        assert_eq!(
            rest,
            r#""level":"note","message":"epoch 2","event":"step","epoch":2,"loss":0.5}"#
        );
    }
}
