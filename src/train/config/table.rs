//! The macro that makes recipes of a table of keys.

/// Defines `Recipe` and its keys: for each one its help, name, type, flag, parser, range and default.
macro_rules! recipe {
    ($(
        $(#[doc = $doc:literal])*
        $(#[serde($serde:meta)])?
        $name:ident: $type:ty {
            flag: $flag:expr,
            parse: $parse:expr,
            range: $range:expr,
            default: $default:expr $(,)?
        }
    )*) => {
        /// Settings of a run, all of them optional. [`Trainer::builder`](crate::train::Trainer::builder) has a setter for each.
        #[expect(
            rustdoc::broken_intra_doc_links,
            reason = "the docs are help texts, whose brackets are optional parts of values"
        )]
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct Recipe {
            $(
                $(#[doc = $doc])*
                $(#[serde($serde)])?
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )*
        }

        /// Calls a macro with the docs, name and type of each key.
        macro_rules! for_each_key {
            ($callback:ident) => {
                $callback! { $($(#[doc = $doc])* $name: $type;)* }
            };
        }

        pub(in crate::train) use for_each_key;

        /// The keys of a recipe, in the order of its file.
        pub static KEYS: &[Key] = &[
            $(Key {
                id: stringify!($name),
                name: {
                    const ID: &str = stringify!($name);
                    const NAME: [u8; ID.len()] = with_dashes(ID);
                    match std::str::from_utf8(&NAME) {
                        Ok(name) => name,
                        Err(_) => panic!("identifiers are UTF-8"),
                    }
                },
                docs: concat!($($doc, "\n",)*),
                flag: $flag,
                range: &$range,
            },)*
        ];

        impl Recipe {
            /// Returns this recipe, with the values of `other` for the keys that are not set.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)* }
            }

            /// Returns the defaults of a case; `None` for keys without one.
            pub fn defaults(case: &Case<'_>) -> Self {
                Self {
                    $($name: {
                        let default: fn(&Case<'_>) -> Option<$type> = $default;
                        default(case)
                    },)*
                }
            }

            /// Sets the key called `id` to the value that is written as `text` on the command line.
            ///
            /// # Errors
            /// What the value must be, or that there is no such key.
            pub fn set(&mut self, id: &str, text: &str) -> Result<(), String> {
                match id {
                    $(stringify!($name) => {
                        let parse: fn(&str) -> Result<$type, String> = $parse;
                        self.$name = Some(parse(text)?);
                    })*
                    _ => return Err(format!("there is no key `{id}`")),
                }
                Ok(())
            }

            /// Returns every key with its value, if it is set.
            pub fn values(&self) -> impl Iterator<Item = (&'static Key, Option<&dyn Value>)> {
                let values = vec![$(self.$name.as_ref().map(|value| value as &dyn Value),)*];
                KEYS.iter().zip(values)
            }
        }
    };
}

pub(super) use recipe;
