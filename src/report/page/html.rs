//! HTML writing: text is escaped wherever it enters.

use anyhow::Result;
use serde::Serialize;

use crate::report::plot::text::{escaped, printable};
use crate::text::cut_middle;

/// Columns of a name in a table, at most.
const NAME: usize = 44;

/// A page under construction.
#[derive(Debug, Default)]
pub struct Html {
    text: String,
}

impl Html {
    /// Appends markup as it is.
    pub fn raw(&mut self, markup: &str) {
        self.text.push_str(markup);
    }

    /// Appends an element that holds `text`.
    pub fn element(&mut self, name: &str, text: &str) {
        self.raw(&format!("<{name}>{}</{name}>\n", escape(text)));
    }

    /// Opens a section with its heading and, where there is one, a lead sentence.
    pub fn section(&mut self, id: &str, heading: &str, lead: &str) {
        self.raw(&format!("<section id=\"{id}\">\n"));
        self.element("h2", heading);
        if !lead.is_empty() {
            self.raw(&format!("<p class=\"lead\">{}</p>\n", escape(lead)));
        }
    }

    /// Appends figures under their names.
    pub fn facts(&mut self, class: &str, facts: &[(impl AsRef<str>, String)]) {
        self.raw(&format!("<dl class=\"{class}\">\n"));
        for (name, value) in facts {
            self.raw("<div>");
            self.element("dt", name.as_ref());
            self.element("dd", value);
            self.raw("</div>\n");
        }
        self.raw("</dl>\n");
    }

    /// Appends a table cell: a name, or a number with the value that it sorts by.
    pub fn cell(&mut self, text: &str, number: Option<f64>) {
        match number {
            Some(number) => self.raw(&format!(
                "<td class=\"number\" data-value=\"{number}\">{}</td>",
                escape(text)
            )),
            None => self.raw(&format!("<td class=\"name\">{}</td>", name(text, NAME))),
        }
    }

    /// Appends a cell of a table whose rows become cards on narrow screens, where `column` stands beside each value.
    pub fn named_cell(&mut self, column: &str, text: &str, number: f64) {
        self.raw(&format!(
            "<td class=\"number\" data-name=\"{column}\" data-value=\"{number}\">{}</td>",
            escape(text)
        ));
    }

    /// Appends the head of a sortable table; `true` marks columns of numbers. The column `sorted` is in ascending order.
    pub fn head(&mut self, columns: &[(&str, bool)], sorted: Option<usize>) {
        self.raw("<thead><tr>");
        for (index, (name, is_number)) in columns.iter().enumerate() {
            let class = if *is_number { " class=\"number\"" } else { "" };
            let sort = if sorted == Some(index) {
                " aria-sort=\"ascending\""
            } else {
                ""
            };
            self.raw(&format!(
                "<th scope=\"col\"{class}{sort}><button type=\"button\" class=\"sort\">{}</button></th>",
                escape(name)
            ));
        }
        self.raw("</tr></thead>\n");
    }

    /// Appends a field that filters the rows of a table by their text.
    pub fn filter(&mut self, table: &str, label: &str) {
        self.raw(&format!(
            "<p class=\"filter\"><input type=\"search\" data-table=\"{table}\" aria-label=\"{label}\" placeholder=\"{label}\" autocomplete=\"off\"> <output></output></p>\n"
        ));
    }

    /// Appends data for the script under an id.
    ///
    /// # Errors
    /// Never: whatever is passed here can be written as JSON.
    pub fn data(&mut self, id: &str, value: &impl Serialize) -> Result<()> {
        // No string in it can end the element.
        let json = serde_json::to_string(value)?.replace('<', "\\u003c");
        self.raw(&format!(
            "<script type=\"application/json\" id=\"{id}\">{json}</script>\n"
        ));
        Ok(())
    }

    /// Returns the whole page.
    pub fn finish(self) -> String {
        self.text
    }
}

/// Escapes text for HTML.
pub fn escape(text: &str) -> String {
    escaped(&printable(text))
}

/// Returns a name in at most `columns` columns, with the whole of it in a title if it is cut. Right-to-left text stays in its
/// place.
pub fn name(text: &str, columns: usize) -> String {
    let text = printable(text);
    let short = cut_middle(&text, columns);
    if short == text {
        format!("<bdi>{}</bdi>", escaped(&text))
    } else {
        format!(
            "<bdi title=\"{}\">{}</bdi>",
            escaped(&text),
            escaped(&short)
        )
    }
}

/// Returns a file name like [`name`], which wraps after the folders in it.
pub fn file_name(text: &str, columns: usize) -> String {
    let text = printable(text);
    let short = cut_middle(&text, columns);
    let parts = short.split_inclusive('/');
    let parts: Vec<String> = parts
        .map(|part| format!("<bdi>{}</bdi>", escaped(part)))
        .collect();
    let title = if short == text {
        String::new()
    } else {
        format!(" title=\"{}\"", escaped(&text))
    };
    format!("<span{title}>{}</span>", parts.join("<wbr>"))
}
