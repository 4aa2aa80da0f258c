//! Tables without borders: a header in bold, columns by two spaces, cut to the terminal's width.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::terminal::Style;
use super::text::{plain, short};

/// Rows of texts under a header.
pub(crate) struct Rows {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// What is said instead of a table without rows.
    empty: String,
}

impl Rows {
    pub(crate) fn new<const N: usize>(header: [&str; N], empty: &str) -> Rows {
        Rows { header: header.map(str::to_uppercase).to_vec(), rows: Vec::new(), empty: empty.to_owned() }
    }

    /// Cells are made safe here, so that no caller can forget it.
    pub(crate) fn add<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| plain(cell).into_owned()).collect());
    }

    /// The text, with a line end after each line. The last column takes what the others leave and is cut, not folded: a preview
    /// of ten lines would drown the table.
    pub(crate) fn render(&self, width: usize, style: Style) -> String {
        if self.rows.is_empty() {
            return format!("{}\n", self.empty);
        }
        let widths: Vec<usize> = (0..self.header.len()).map(|column| self.widest(column)).collect();
        let others: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
        let last = width.saturating_sub(others).max(12);
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from((others + last).max(width)).unwrap_or(u16::MAX));
        table.set_header(&self.header);
        for row in &self.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| if column + 1 == row.len() { short(cell, last) } else { cell.clone() });
            table.add_row(cells.collect::<Vec<_>>());
        }
        let count = self.header.len();
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if index + 1 == count { 0 } else { 2 }));
            if index + 1 < count {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(u16::try_from(widths[index] + 2).unwrap_or(u16::MAX))));
            }
        }
        let mut text = String::new();
        for (index, line) in table.lines().enumerate() {
            let line = line.trim_end();
            text.push_str(&if index == 0 { style.bold(line) } else { tint(line, style) });
            text.push('\n');
        }
        text
    }

    fn widest(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.chain(self.header.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

/// Colours the mark that a line begins with. Colour codes inside cells would count as width.
fn tint(line: &str, style: Style) -> String {
    let Some(mark) = line.chars().next() else { return String::new() };
    let rest = &line[mark.len_utf8()..];
    match mark {
        '✓' => format!("{}{rest}", style.green("✓")),
        '✗' => format!("{}{rest}", style.red("✗")),
        '!' | '↻' | '◷' => format!("{}{rest}", style.yellow(&mark.to_string())),
        '–' | '·' => style.dim(line),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Rows {
        let mut rows = Rows::new(["", "step", "status", "output"], "nothing ran");
        rows.add(["✓".into(), "fetch".into(), "success".into(), "{\"items\":[1,2,3,4,5,6,7,8,9]}".into()]);
        rows.add(["✗".into(), "a_long_name".into(), "error".into(), "two\nlines \u{1b}[31mred".into()]);
        rows
    }

    #[test]
    fn a_table_fits_the_terminal() {
        insta::assert_snapshot!(sample().render(50, Style::default()), @r#"
           STEP         STATUS   OUTPUT
        ✓  fetch        success  {"items":[1,2,3,4,5,6,7,…
        ✗  a_long_name  error    two⏎lines �[31mred
        "#);
    }

    #[test]
    fn a_narrow_terminal_keeps_the_last_column_readable() {
        insta::assert_snapshot!(sample().render(10, Style::default()), @r#"
           STEP         STATUS   OUTPUT
        ✓  fetch        success  {"items":[1…
        ✗  a_long_name  error    two⏎lines �…
        "#);
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(Rows::new(["a"], "no plans yet").render(80, Style::default()), "no plans yet\n");
    }
}
