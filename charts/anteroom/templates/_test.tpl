{{/* What does `helm test` run? This release's configuration, with an Atlassian that is made up and an app that is Anteroom's
own health page; nothing leaves the pod. */}}

{{- define "anteroom.testToml" -}}
{{- $tree := include "anteroom.configTree" . | fromJson -}}
{{- $_ := set $tree "public_url" "http://localhost:4180" -}}
{{- $_ := unset $tree "app_urls" -}}
{{- $_ := unset $tree "routes" -}}
{{- $_ := unset $tree "pages" -}}
{{- $_ := set $tree "access" (dict "emails" (list "ada@example.com")) -}}
{{- /* Not secrets: the emulator's own, which everybody knows. */ -}}
{{- $_ := set $tree "atlassian" (dict
      "client_id" "anteroomdemoclient00000000000001"
      "client_secret" "ATOAdemo-secret-of-the-emulator-and-nothing-else-0001"
      "auth_url" "http://127.0.0.1:4190" "api_url" "http://127.0.0.1:4190") -}}
{{- $_ := set $tree "proxy" (dict "listen" "127.0.0.1:4180" "upstream" "http://127.0.0.1:4181") -}}
{{- $_ := set $tree "session" (omit $tree.session "cookie_domain") -}}
{{- $_ := set $tree "store" (dict "url" "memory:") -}}
{{- $_ := set $tree "ops" (dict "listen" (get $tree.ops "listen") "log_format" "text") -}}
# A sign-in to try, made by Helm.
{{- include "anteroom.tomlTable" (list "" $tree) }}
{{ end -}}

{{/* The release's own container, with another configuration and without what only the release has. */}}
{{- define "anteroom.testContainers" -}}
{{- $anteroom := include "anteroom.containerTree" . | fromJson -}}
{{- $bare := pick $anteroom "image" "imagePullPolicy" "securityContext" "resources" -}}
{{- $emulator := merge (dict "name" "atlassian" "restartPolicy" "Always"
      "args" (list "emulator" "--listen" "127.0.0.1:4190" "--approve" "ada@example.com")) $bare -}}
{{- $_ := set $anteroom "restartPolicy" "Always" -}}
{{- $_ := unset $anteroom "lifecycle" -}}
{{- toYaml (list $emulator $anteroom) -}}
{{- end -}}

{{- define "anteroom.testVolumes" -}}
{{- $volumes := list -}}
{{- $name := printf "%s-test" (include "anteroom.fullname" .) -}}
{{- $secret := .Values.atlassian.existingSecret -}}
{{- range include "anteroom.volumesTree" . | fromJsonArray -}}
{{- if eq .name "anteroom" -}}
{{- $sources := list (dict "configMap" (dict "name" $name)) -}}
{{- range .projected.sources -}}
{{- if and .secret (ne (first .secret.items).path "secrets/client-secret") -}}{{- $sources = append $sources . -}}{{- end -}}
{{- end -}}
{{- $volumes = append $volumes (dict "name" .name "projected" (dict "defaultMode" .projected.defaultMode "sources" $sources)) -}}
{{- else if eq .name "anteroom-store" -}}
{{- $volumes = append $volumes (dict "name" .name "emptyDir" dict) -}}
{{- else -}}
{{- $volumes = append $volumes . -}}
{{- end -}}
{{- end -}}
{{- toYaml $volumes -}}
{{- end -}}
