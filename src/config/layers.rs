//! Which layer wins? Defaults, then the file, the chosen profile, the environment's aliases, the environment, flags.
//!
//! Guarantees: every layer is read to its end; a secret given inline or as a file replaces both forms from lower layers;
//! for every value it is known where it came from.

use std::collections::{BTreeMap, BTreeSet};

use figment::providers::Serialized;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::convert::Converter;
use super::file::{ConfigFile, Spans};
use super::finding::{Finding, Mistake, Origin};
use super::key::{KeyPath, Step};
use super::raw::RawConfig;
use super::shape::Shape;
use super::{Flag, LoadOptions, ReadFrom, profile, variables};

/// Settings that can be given inline or as a file: the table and the two keys.
const SECRETS: [(&str, &str, &str); 3] = [
    ("atlassian", "client_secret", "client_secret_file"),
    ("forward_auth", "key", "key_file"),
    ("session", "secret", "secret_file"),
];

const FILE: &str = "file";
const PROFILE: &str = "profile";
const FLAGS: &str = "flags";

/// Everything that was said, merged.
pub(super) struct Layers {
    figment: Figment,
    file: Option<ConfigFile>,
    profile: Option<String>,
    /// Variable or flag of a setting, per layer.
    names: BTreeMap<(&'static str, String), Origin>,
    pub(super) found: Vec<Finding>,
    pub(super) dropped: BTreeSet<KeyPath>,
}

struct Layer {
    name: &'static str,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

impl Layers {
    /// Reads all layers. `Err` when the file cannot be read at all.
    pub(super) fn read(options: &LoadOptions) -> Result<Self, Box<Finding>> {
        let shape = Shape::of_config();
        let file = ConfigFile::find(options)?;
        let asked = options.profile.as_deref().or_else(|| options.environment.get("ANTEROOM_PROFILE"));
        let mut this = Self {
            figment: Figment::from(Serialized::defaults(RawConfig::default())),
            file: None,
            profile: asked.map(str::to_owned),
            names: BTreeMap::new(),
            found: Vec::new(),
            dropped: BTreeSet::new(),
        };
        let mut layers = this.read_file(file.as_ref(), &shape);
        for variables in variables::read(&options.environment, &shape, &mut this.found) {
            let mut dict = Dict::new();
            for variable in &variables.set {
                let origin = Origin::Variable(variable.name.clone());
                this.plain(&mut dict, variables.layer, &variable.key, origin, &variable.value, &shape);
            }
            layers.push(Layer { name: variables.layer, dict });
        }
        let mut dict = Dict::new();
        for Flag { name, key, value } in &options.flags {
            this.plain(&mut dict, FLAGS, &KeyPath::of(key), Origin::Flag((*name).to_owned()), value, &shape);
        }
        layers.push(Layer { name: FLAGS, dict });
        this.file = file;
        for layer in only_the_highest_secret(layers) {
            this.figment = this.figment.merge(layer);
        }
        Ok(this)
    }

    fn read_file(&mut self, file: Option<&ConfigFile>, shape: &Shape) -> Vec<Layer> {
        let none = |_: &Spans, _: bool| Origin::Unset;
        let of_file =
            |spans: &Spans, shown: bool| file.map_or_else(|| none(spans, shown), |f| f.origin(spans, shown));
        let (base, profiles) =
            file.map(|f| profile::split(f.root(), shape, self.profile.as_deref())).unwrap_or_default();
        let mut converter = Converter::new(&of_file);
        let root = KeyPath::default();
        let mut layers = vec![Layer { name: FILE, dict: converter.table(&base, shape, &root, &root) }];
        self.dropped.extend(converter.dropped.iter().cloned());
        for (name, table) in &profiles {
            converter.dropped.clear();
            // Profiles that are not chosen are read too: a mistake in production shows up in staging.
            let dict = converter.table(*table, shape, &root, &root.key(name));
            if self.profile.as_deref() == Some(name.as_str()) {
                self.dropped.extend(converter.dropped.iter().cloned());
                layers.push(Layer { name: PROFILE, dict });
            }
        }
        self.found.extend(converter.found);
        if let Some(asked) =
            self.profile.clone().filter(|asked| !profiles.iter().any(|(name, _)| name == asked))
        {
            let names: Vec<&str> = profiles.iter().map(|(name, _)| name.as_str()).collect();
            let origin = file.map_or(Origin::Unset, ConfigFile::whole);
            self.found.push(profile::missing(&asked, &names).at(&root, origin));
            self.profile = None;
        }
        layers
    }

    fn plain(
        &mut self,
        dict: &mut Dict,
        layer: &'static str,
        key: &KeyPath,
        origin: Origin,
        text: &str,
        shape: &Shape,
    ) {
        let Some(shape) = variables::shape_at(shape, key) else { return };
        let here = |_: &Spans, _: bool| origin.clone();
        let mut converter = Converter::new(&here);
        if let Some(value) = converter.text(text, shape, key) {
            insert(dict, key.steps(), value);
        }
        let Converter { found, dropped, .. } = converter;
        self.found.extend(found);
        self.dropped.extend(dropped);
        self.names.insert((layer, key.dotted()), origin);
    }

    /// The merged settings. Cannot fail once types are checked; if it does all the same, that is said.
    pub(super) fn extract(&self) -> Result<RawConfig, Box<Finding>> {
        self.figment.extract().map_err(|error| {
            let key = KeyPath::of(&error.path.join("."));
            let mistake = Mistake::new(
                "config.type",
                format!("`{key}` does not have the type that is expected"),
                "The configuration cannot be read",
                "compare it with docs/reference/config.md",
            );
            mistake.boxed(&key, self.origin(&key, false))
        })
    }

    /// The merged settings as a tree.
    pub(super) fn merged(&self) -> Option<Value> {
        self.figment.extract().ok()
    }

    /// Where a setting came from; for one that is not set, the table that it is missing from.
    pub(super) fn origin(&self, key: &KeyPath, shown: bool) -> Origin {
        let mut key = key.clone();
        loop {
            let origin = match self.figment.find_metadata(&key.dotted()).map(|m| m.name.as_ref()) {
                Some(FILE) => self.in_file(None, &key, shown),
                Some(PROFILE) => self.in_file(self.profile.as_deref(), &key, shown),
                Some(layer) => self.names.iter().find_map(|((at, path), origin)| {
                    (*at == layer && *path == key.dotted()).then(|| origin.clone())
                }),
                None => None,
            };
            match (origin, key.parent()) {
                (Some(origin), _) => return origin,
                (None, Some(parent)) if parent.steps().iter().any(|s| matches!(s, Step::Index(_))) => {
                    key = parent
                }
                (None, Some(parent)) if matches!(key.steps().last(), Some(Step::Index(_))) => key = parent,
                _ => return self.file.as_ref().map_or(Origin::Unset, ConfigFile::whole),
            }
        }
    }

    fn in_file(&self, profile: Option<&str>, key: &KeyPath, shown: bool) -> Option<Origin> {
        let file = self.file.as_ref()?;
        Some(file.origin(&file.spans(profile, key)?, shown))
    }

    /// The file and the profile that were read.
    pub(super) fn read_from(&self) -> ReadFrom {
        let file = self.file.as_ref().map(|file| file.whole().to_string());
        ReadFrom { file, profile: self.profile.clone() }
    }
}

/// Takes a secret out of every layer below the highest one that gives it, in either form.
fn only_the_highest_secret(mut layers: Vec<Layer>) -> Vec<Layer> {
    for (table, inline, file) in SECRETS {
        let mut given = false;
        for layer in layers.iter_mut().rev() {
            let Some(Value::Dict(_, dict)) = layer.dict.get_mut(table) else { continue };
            if given {
                dict.remove(inline);
                dict.remove(file);
            }
            given |= dict.contains_key(inline) || dict.contains_key(file);
        }
    }
    layers
}

fn insert(dict: &mut Dict, steps: &[Step], value: Value) {
    match steps {
        [Step::Key(key)] => drop(dict.insert(key.clone(), value)),
        [Step::Key(key), rest @ ..] => {
            let inner = dict.entry(key.clone()).or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
        _ => {}
    }
}
