//! HTML being written: text is escaped wherever it comes in.

use anyhow::Result;
use serde::Serialize;

use crate::report::plot::words::{escaped, printable};

/// A page so far.
#[derive(Debug, Default)]
pub struct Html {
    text: String,
}

impl Html {
    /// Markup, as it is.
    pub fn raw(&mut self, markup: &str) {
        self.text.push_str(markup);
    }

    /// Text within an element.
    pub fn element(&mut self, name: &str, text: &str) {
        self.raw(&format!("<{name}>{}</{name}>\n", escape(text)));
    }

    /// Figures under their names.
    pub fn facts(&mut self, facts: &[(&str, String)]) {
        self.raw("<dl class=\"facts\">\n");
        for (name, value) in facts {
            self.raw("<div>");
            self.element("dt", name);
            self.element("dd", value);
            self.raw("</div>\n");
        }
        self.raw("</dl>\n");
    }

    /// A cell of a table: words, or a number with what it sorts by.
    pub fn cell(&mut self, text: &str, number: Option<f64>) {
        match number {
            Some(number) => self.raw(&format!(
                "<td class=\"number\" data-value=\"{number}\">{}</td>",
                escape(text)
            )),
            // What is written from right to left stays in its place.
            None => self.raw(&format!(
                "<td class=\"name\"><bdi>{}</bdi></td>",
                escape(text)
            )),
        }
    }

    /// The head of a table, whose columns sort; `true` for those of numbers.
    pub fn head(&mut self, columns: &[(&str, bool)]) {
        self.raw("<thead><tr>");
        for (name, is_number) in columns {
            let class = if *is_number { " class=\"number\"" } else { "" };
            self.raw(&format!(
                "<th scope=\"col\"{class}><button type=\"button\" class=\"sort\">{}</button></th>",
                escape(name)
            ));
        }
        self.raw("</tr></thead>\n");
    }

    /// Data for the script, under an id.
    ///
    /// # Errors
    /// Never: what is given here can be written as JSON.
    pub fn data(&mut self, id: &str, value: &impl Serialize) -> Result<()> {
        // No string in it can end the element.
        let json = serde_json::to_string(value)?.replace('<', "\\u003c");
        self.raw(&format!(
            "<script type=\"application/json\" id=\"{id}\">{json}</script>\n"
        ));
        Ok(())
    }

    /// The whole page.
    pub fn finish(self) -> String {
        self.text
    }
}

/// Text as it stands in HTML.
pub fn escape(text: &str) -> String {
    escaped(&printable(text))
}
