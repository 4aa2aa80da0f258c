//! The table of figures: what was measured, the ceiling beside it, and what was promised.

use comfy_table::{Cell, Table};

/// One figure.
pub struct Row {
    pub what: String,
    pub ours: String,
    /// What the machine itself gave in the same run.
    pub ceiling: String,
    pub promised: String,
    pub met: bool,
}

impl Row {
    pub fn new(
        what: impl Into<String>,
        ours: impl Into<String>,
        ceiling: impl Into<String>,
        promised: impl Into<String>,
        met: bool,
    ) -> Row {
        Row { what: what.into(), ours: ours.into(), ceiling: ceiling.into(), promised: promised.into(), met }
    }
}

pub fn render(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_NO_BORDERS);
    table.set_header(["figure", "measured", "ceiling in the same run", "promised", ""]);
    for row in rows {
        let mark = if row.met { "met" } else { "missed" };
        table.add_row([&row.what, &row.ours, &row.ceiling, &row.promised, mark].map(Cell::new));
    }
    table.to_string()
}

/// 12,345 for people.
pub fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The value below which `share` (0–1) of the sorted values lie.
pub fn percentile(sorted: &[u64], share: f64) -> u64 {
    if sorted.is_empty() {
        return 0;
    }
    let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len());
    sorted[place - 1]
}
