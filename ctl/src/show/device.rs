//! Answers of devices, as PBS's `pmt` and `pmtx` print them (`cli-tape.md` §§11, 12).

use reel_types::commands::{DeviceAnswer, DeviceText, OutputFormat};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::bare;
use crate::failure::Failure;

/// Prints `data`. In JSON a question's result is printed as it is; as text its answer alone, and where there is none that
/// is a failure.
pub fn answer(form: &DeviceAnswer, data: &Value, format: OutputFormat) -> Result<String, Failure> {
    let ordered = InOrder(data, form.keys);
    Ok(match format {
        OutputFormat::Json => serde_json::to_string(&ordered).unwrap_or_default() + "\n",
        OutputFormat::JsonPretty => pretty(&ordered),
        OutputFormat::Text => match (data.get("Ok"), data.get("Err")) {
            (Some(answer), _) => text(form, answer),
            (_, Some(error)) => return Err(Failure::Daemon(bare(error).trim_end().to_owned())),
            _ => text(form, data),
        },
    })
}

fn pretty(value: &InOrder<'_>) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// A value whose objects have their keys in the order of a list, the others behind it.
struct InOrder<'a>(&'a Value, &'a [&'a str]);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(value, keys) = *self;
        match value {
            Value::Array(values) => to.collect_seq(values.iter().map(|one| InOrder(one, keys))),
            Value::Object(members) => {
                let place = |key: &str| keys.iter().position(|known| *known == key);
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(key, _)| place(key).unwrap_or(keys.len()));
                to.collect_map(members.into_iter().map(|(key, one)| (key, InOrder(one, keys))))
            }
            other => other.serialize(to),
        }
    }
}

fn text(form: &DeviceAnswer, data: &Value) -> String {
    let rows = |row: fn(&Value) -> String| data.as_array().into_iter().flatten().map(row).collect();
    match form.text {
        DeviceText::Json => pretty(&InOrder(data, form.keys)),
        DeviceText::Alerts => format!("Tape Alert Flags: {}\n", plain(data)),
        DeviceText::Memory => rows(|row| {
            format!("{}|{}|{}\n", plain(&row["id"]), plain(&row["name"]), plain(&row["value"]))
        }),
        DeviceText::Devices => rows(|row| {
            let [path, vendor, model, serial] =
                ["path", "vendor", "model", "serial"].map(|key| plain(&row[key]));
            format!("{path} ({vendor}/{model}/{serial})\n")
        }),
        DeviceText::Inquiry => inquiry(data),
        DeviceText::Elements => elements(data),
    }
}

fn plain(value: &Value) -> String {
    bare(value).trim_end_matches('\n').to_owned()
}

fn inquiry(data: &Value) -> String {
    format!(
        "Type:     {} ({})\nVendor:   {}\nProduct:  {}\nRevision: {}\n",
        plain(&data["peripheral_type_text"]),
        data["peripheral_type"],
        plain(&data["vendor"]),
        plain(&data["product"]),
        plain(&data["revision"])
    )
}

fn elements(data: &Value) -> String {
    let of = |kind: &str| data[kind].as_array().into_iter().flatten().enumerate();
    let mut lines = Vec::new();
    for (index, transport) in of("transports") {
        let status = content(transport);
        lines.push(format!("Transport Element (Griper)    {index:>3}: {status}\n"));
    }
    for (index, drive) in of("drives") {
        let optional = |name: &str, value: &Value| match value {
            Value::Null => String::new(),
            value => format!(", {name}: {}", plain(value)),
        };
        let source = optional("Source", &drive["loaded_slot"]);
        let serial = optional("Serial", &drive["drive_serial_number"]);
        let status = content(drive);
        lines.push(format!("Data Transfer Element (Drive) {index:>3}: {status}{source}{serial}\n"));
    }
    for (index, slot) in of("slots") {
        let kind =
            if slot["import_export"] == true { "Import/Export  " } else { "Storage Element" };
        lines.push(format!("  {kind} {:>3}: {}\n", index + 1, content(slot)));
    }
    lines.concat()
}

/// `Empty`, `Full` or `VolumeTag("X")`.
fn content(element: &Value) -> String {
    match &element["status"]["VolumeTag"] {
        Value::String(tag) => format!("VolumeTag({tag:?})"),
        _ => plain(&element["status"]),
    }
}

#[cfg(test)]
mod tests;
