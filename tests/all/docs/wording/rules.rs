//! The words that are not used, and what is written instead.

/// Phrases, and what is written instead. `*` stands for any ending.
const RULES: &[(&str, &str)] = &[
    // The field's words.
    ("picture*", "image"),
    ("net", "model (API) or network (prose)"),
    ("nets", "models or networks"),
    ("learn from", "be trained on"),
    ("learns from", "is trained on"),
    ("learned from", "was trained on"),
    ("learnt*", "trained on, learned"),
    ("taught", "trained on"),
    ("teach*", "train"),
    ("deviation*", "std"),
    ("carve*", "hold out, held out"),
    ("put aside", "held out"),
    ("set aside", "held out"),
    ("left aside", "skipped"),
    ("rising for", "warm-up"),
    ("from nothing", "from scratch"),
    ("data set*", "dataset"),
    ("finetune*", "fine-tune"),
    ("finetuning", "fine-tuning"),
    ("took it for", "predicted"),
    ("taken for", "predicted as"),
    ("takes it for", "predicts"),
    ("surest", "most confident"),
    ("flatter*", "optimistic"),
    ("kind of processor", "CPU type"),
    // Plain grammar.
    ("goes on", "resumes, continues"),
    ("go on", "resume, continue"),
    ("going on", "resuming, continuing"),
    ("went on", "resumed, continued"),
    ("say more", "print more"),
    ("nothing where", "`None` if"),
    ("none the wiser", "bit-identical"),
    ("so many", "the number of"),
    ("is no number", "NaN"),
    ("are no numbers", "NaN"),
    ("no numbers", "NaN"),
    ("system's hand", "the operating system"),
    ("said", "given, set"),
    ("mend*", "fix"),
    ("images a second", "images/s"),
    ("images a class", "images per class"),
    ("images a batch", "images per batch"),
    ("images a step", "images per step"),
    ("value a channel", "value per channel"),
    ("values a channel", "values per channel"),
    ("blocks a stage", "blocks per stage"),
    ("channels a group", "channels per group"),
    ("width a group", "width per group"),
    ("line an image", "line per image"),
    ("row an image", "row per image"),
    ("folder a class", "folder per class"),
    ("name a class", "name per class"),
    ("one a line", "one per line"),
    ("one a class", "one per class"),
    // American spelling; endings in -ise and -our are found by `spelling`.
    ("grey*", "gray"),
    ("licence*", "license"),
    ("centre*", "center"),
    ("metre*", "meter"),
    ("litre*", "liter"),
    ("fibre*", "fiber"),
    ("theatre*", "theater"),
    ("catalogue*", "catalog"),
    ("analyse", "analyze"),
    ("analysed", "analyzed"),
    ("analysing", "analyzing"),
    ("artefact*", "artifact"),
    ("judgement*", "judgment"),
    ("cancelled", "canceled"),
    ("cancelling", "canceling"),
    ("labelled", "labeled"),
    ("labelling", "labeling"),
    ("modelled", "modeled"),
    ("modelling", "modeling"),
    ("signalled", "signaled"),
    ("travelled", "traveled"),
    ("levelled", "leveled"),
    ("totalled", "totaled"),
    ("fuelled", "fueled"),
    ("whilst", "while"),
    ("amongst", "among"),
    ("defence", "defense"),
    ("practise*", "practice"),
    ("programme", "program"),
    ("sceptic*", "skeptic"),
    ("burnt", "burned"),
    ("spelt", "spelled"),
];

/// Types that are called otherwise, each with its name and the start of the paths that this holds for.
pub const TYPES: &[(&str, &str, &str)] = &[
    ("Feed", "TrainLoader", ""),
    ("FedBatch", "TrainBatch", ""),
    ("Rules", "BatchSampler", "src/train"),
    ("Watch", "Observer", ""),
    ("Unwatched", "NoObserver", ""),
    ("Beginning", "RunStarted", ""),
    ("Ended", "Outcome", ""),
    ("Why", "StopReason", "src/train"),
    ("Tested", "TestMetrics", "src/train"),
    ("Standing", "TrainProgress", ""),
    ("Identity", "RunIdentity", "src/train"),
    ("Sums", "EpochTotals", "src/train"),
    ("Site", "ExecutionContext", ""),
    ("Pass", "ForwardBackward", "src/train"),
    ("Passed", "ForwardOutput", "src/train"),
    ("Wanted", "ForwardOptions", ""),
    ("HeatOf", "CamTarget", ""),
    ("Heat", "ClassActivationMap", "src/"),
    ("Work", "Workload", ""),
    ("Form", "Backend", "src/ops"),
    ("Held", "OutputInit", ""),
    ("Ending", "Epilogue", ""),
    ("Factors", "TileOperands", ""),
    ("Terms", "TileProduct", ""),
    ("Place", "OutputTile", "crates/"),
    ("Lane", "ChannelBlock", ""),
    ("Seen", "Exposure", ""),
    ("Chosen", "Selection", "src/weights"),
    ("Carved", "HeldOutSplit", ""),
    ("RunNote", "TrainingProvenance", ""),
    ("Card", "ModelInfo", ""),
    ("Contender", "ModelResult", ""),
    ("Entrant", "PlottedModel", ""),
    ("Judgement", "ImageResult", ""),
    ("Examined", "EvaluationReport", ""),
    ("Meeting", "MappedImages", ""),
    ("Mark", "LeakageNote", "src/"),
    ("Subject", "EvalModel", "src/cli"),
    ("Screen", "TrainObserver", "src/cli"),
    ("Turns", "LargeImageGate", ""),
    ("Ordered", "parallel::ordered_map", "src/data"),
];

/// Functions and modules that are called otherwise, each with its name and the start of the paths that this holds for.
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("said", "overrides", "src/"),
    ("choices", "values", "src/train"),
    ("idle", "unused_options", "src/train"),
    ("ranges", "validate", "src/train"),
    ("maxima", "max_pool", "crates/"),
    ("means", "avg_pool", "crates/"),
    ("shortcut", "padded_shortcut", "crates/"),
    ("caught", "catch_panic", "src/"),
    ("counted", "pluralize", "src/"),
    ("amount", "format_bytes", "src/"),
    ("misuse", "usage_error", ""),
    ("hinted", "error_with_hint", ""),
    ("near", "suggest", "src/"),
    ("meant", "suggest", "src/"),
    ("unknown", "suggest", "src/"),
    ("shown", "display_name", "src/"),
    ("strided", "gather_strided", "crates/"),
    ("square", "load_square", "crates/"),
    ("entered", "to_blocked", "crates/"),
    ("left", "from_blocked", "crates/"),
    ("reach", "effective_kernel_size", "crates/"),
];

/// First words of a doc that says a riddle: a function's doc is a verb in the third person, a field's a noun phrase.
pub const OPENINGS: [&str; 7] = ["how", "that", "those", "what", "where", "whether", "which"];

/// Words in -ise and -our, without their endings, that are American too.
const AMERICAN: &str = "adv apprais ar brais brui chast clockw compr comprom conc cont counterclockw crui dem depthw despi det \
    dev disgu elementw enterpr exerc expert f fl franch h imprec improv lengthw lik likew madv no otherw \
    p pairw pointw pra prec prem prom r ra rev s sc stepw superv surpr t telev vel w y";

/// Returns the number of words at the start of `words` that are not used, and what is written instead; `before` are the
/// words before them.
pub fn matching(before: &[&str], words: &[&str]) -> Option<(usize, String)> {
    for (old, new) in RULES {
        let count = old.split(' ').count();
        let mut pairs = old.split(' ').zip(words);
        if count <= words.len() && pairs.all(|(pattern, word)| fits(pattern, word)) {
            // "Standard deviation" is the name of the quantity, where it is explained.
            if *old == "deviation*" && before.last() == Some(&"standard") {
                return None;
            }
            return Some((count, (*new).to_owned()));
        }
    }
    spelling(words[0]).map(|american| (1, american))
}

/// Returns true if `word` is the pattern, or starts with it if the pattern ends with `*`.
fn fits(pattern: &str, word: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => word == pattern,
    }
}

/// Returns the American spelling of a word in -ise or -our.
fn spelling(word: &str) -> Option<String> {
    const ENDINGS: [(&str, &str); 13] = [
        ("isations", "izations"),
        ("isation", "ization"),
        ("isers", "izers"),
        ("iser", "izer"),
        ("ises", "izes"),
        ("ised", "ized"),
        ("ising", "izing"),
        ("ise", "ize"),
        ("oured", "ored"),
        ("ouring", "oring"),
        ("ourless", "orless"),
        ("ours", "ors"),
        ("our", "or"),
    ];
    let (stem, ending) = ENDINGS
        .iter()
        .find_map(|(british, american)| Some((word.strip_suffix(british)?, american)))?;
    let is_american = stem.is_empty() || AMERICAN.split(' ').any(|american| american == stem);
    (!is_american).then(|| format!("{stem}{ending}"))
}
