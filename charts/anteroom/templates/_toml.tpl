{{/* How is a tree of values written as TOML 1.0? Helm's own toToml writes 4 as 4.0, which is another type. */}}

{{/* One value on one line. JSON's strings are TOML's basic strings, except for DEL, which JSON leaves as it is. */}}
{{- define "anteroom.tomlValue" -}}
{{- if kindIs "invalid" . -}}
{{- fail "config: a list has nothing (null) in it, which TOML has no word for. Take it out" -}}
{{- else if kindIs "map" . -}}
{{- $pairs := list -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $pairs = append $pairs (printf "%s = %s" (include "anteroom.tomlKey" $key) (include "anteroom.tomlValue" $value)) -}}
{{- end -}}
{{- end -}}
{ {{ join ", " $pairs }} }
{{- else if kindIs "slice" . -}}
{{- $items := list -}}
{{- range . -}}
{{- $items = append $items (include "anteroom.tomlValue" .) -}}
{{- end -}}
[{{ join ", " $items }}]
{{- else -}}
{{- toJson . | replace "\u007f" "\\u007f" -}}
{{- end -}}
{{- end -}}

{{- define "anteroom.tomlKey" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . -}}{{ . }}{{- else -}}{{ include "anteroom.tomlValue" . }}{{- end -}}
{{- end -}}

{{/* A table with all below it. Takes a list: the path so far ("" or "proxy."), and the map. */}}
{{- define "anteroom.tomlTable" -}}
{{- $path := index . 0 -}}
{{- $table := index . 1 -}}
{{- range $key, $value := $table -}}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value)) -}}
{{- if and (kindIs "slice" $value) $value (kindIs "map" (first $value)) }}
{{ include "anteroom.tomlKey" $key }} = [
{{- range $value }}
  {{ include "anteroom.tomlValue" . }},
{{- end }}
]
{{- else }}
{{ include "anteroom.tomlKey" $key }} = {{ include "anteroom.tomlValue" $value }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := $table -}}
{{- if kindIs "map" $value }}
{{- $here := printf "%s%s" $path (include "anteroom.tomlKey" $key) }}

[{{ $here }}]
{{- include "anteroom.tomlTable" (list (printf "%s." $here) $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
