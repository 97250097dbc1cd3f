//! The settings of a run, and the command that reproduces it.

use super::html::{Html, escape};

/// Settings under a heading.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Their topic.
    pub heading: String,
    /// Names and values.
    pub values: Vec<(String, String)>,
}

/// The command and the machine of a run or an evaluation.
#[derive(Debug, Clone, Default)]
pub struct Again {
    /// The command.
    pub command: Option<String>,
    /// The configuration's file name, and its text.
    pub config: Option<(String, String)>,
    /// The versions and the machine.
    pub environment: Vec<(&'static str, String)>,
}

impl Settings {
    /// Returns the settings of a `config.toml`, whose comments are headings.
    pub fn of_toml(text: &str) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        // The first comment is the command.
        for line in text.lines().skip(1) {
            if let Some(heading) = line.strip_prefix("# ") {
                groups.push(Self {
                    heading: heading.to_owned(),
                    values: Vec::new(),
                });
            } else if let Some((key, value)) = line.split_once(" = ") {
                if groups.is_empty() {
                    groups.push(Self::default());
                }
                if let Some(group) = groups.last_mut() {
                    let value = value.trim_matches('"').to_owned();
                    group.values.push((key.to_owned(), value));
                }
            }
        }
        groups.retain(|group| !group.values.is_empty());
        groups
    }
}

/// Writes the settings.
pub fn settings(page: &mut Html, settings: &[Settings]) {
    if settings.is_empty() {
        return;
    }
    page.section("settings", "Settings", "");
    page.raw("<div class=\"groups\">\n");
    for group in settings {
        page.raw("<div>\n");
        if !group.heading.is_empty() {
            page.element("h3", &group.heading);
        }
        page.facts("settings", &group.values);
        page.raw("</div>\n");
    }
    page.raw("</div>\n</section>\n");
}

/// Writes the command, the configuration and the machine.
pub fn section(page: &mut Html, again: &Again) {
    page.section("reproduce", "Reproduce", "");
    if let Some(command) = &again.command {
        if again.config.is_some() {
            page.raw("<p>Command used for this run (choose a new output folder to repeat it). All resolved settings are in <code>config.toml</code>, which is a recipe.</p>\n");
        }
        page.raw(&format!(
            "<div class=\"command\"><pre><code>{}</code></pre><button type=\"button\" class=\"copy\" hidden>Copy</button></div>\n",
            escape(command)
        ));
    }
    if let Some((name, text)) = &again.config {
        // Line ends stay: each line by itself is without control characters.
        let lines: Vec<String> = text.lines().map(escape).collect();
        page.raw(&format!(
            "<details><summary>{}</summary>\n<pre><code>{}</code></pre>\n</details>\n",
            escape(name),
            lines.join("\n")
        ));
    }
    page.facts("facts", &again.environment);
    page.raw("</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_a_configuration_are_headings() {
        let text = "# resnet 0.1.0: resnet train\n\n# Data\ndata = \"sample\"\n\n# Optimization\nepochs = 3\nlr = 0.1\n";
        let groups = Settings::of_toml(text);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].values, [("data".to_owned(), "sample".to_owned())]);
        assert_eq!(groups[1].heading, "Optimization");
        assert_eq!(groups[1].values.len(), 2);
    }
}
