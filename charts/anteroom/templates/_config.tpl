{{/* What does anteroom.toml say? What the values say, and `config` merged over it. */}}

{{/* The whole configuration as JSON, so that another template can change it. */}}
{{- define "anteroom.configTree" -}}
{{- with include "anteroom.shapes" . | fromJsonArray }}{{ fail (include "anteroom.refusal" (list $ .)) }}{{ end -}}
{{- $values := .Values -}}
{{- $mode := include "anteroom.mode" . -}}
{{- $any := $values.bindAddress | contains ":" | ternary (printf "[%s]" $values.bindAddress) $values.bindAddress -}}
{{- $tree := dict "public_url" (trimSuffix "/" $values.publicUrl) -}}
{{- if $values.appUrls -}}
{{- $_ := set $tree "app_urls" $values.appUrls -}}
{{- end -}}
{{- $atlassian := dict "client_id" $values.atlassian.clientId "client_secret_file" "/etc/anteroom/secrets/client-secret" -}}
{{- if $values.atlassian.scopes -}}
{{- $_ := set $atlassian "scopes" $values.atlassian.scopes -}}
{{- end -}}
{{- $_ := set $tree "atlassian" $atlassian -}}
{{- if eq $mode "forwardAuth" -}}
{{- $asked := dict "listen" (printf "%s:4182" $any) "trusted_proxies" $values.trustedProxies -}}
{{- if $values.forwardAuth.existingSecret -}}
{{- $_ := set $asked "key_file" "/etc/anteroom/secrets/gateway-key" -}}
{{- end -}}
{{- $_ := set $tree "forward_auth" $asked -}}
{{- else -}}
{{- $proxy := dict "listen" (printf "%s:4180" $any) -}}
{{- if eq $mode "sidecar" -}}
{{- $_ := set $proxy "upstream" (printf "http://127.0.0.1:%d" (int $values.sidecar.appPort)) -}}
{{- if $values.sidecar.probePaths -}}
{{- $_ := set $proxy "probes" (dict "listen" (printf "%s:4183" $any) "paths" $values.sidecar.probePaths) -}}
{{- end -}}
{{- else if $values.upstream -}}
{{- $_ := set $proxy "upstream" $values.upstream -}}
{{- end -}}
{{- if $values.trustedProxies -}}
{{- $_ := set $proxy "trusted_proxies" $values.trustedProxies -}}
{{- end -}}
{{- $_ := set $tree "proxy" $proxy -}}
{{- end -}}
{{- $access := dict -}}
{{- if $values.access.allowAnyAtlassianAccount -}}
{{- $_ := set $access "allow_any_atlassian_account" true -}}
{{- end -}}
{{- range $key, $list := dict "email_domains" $values.access.emailDomains "emails" $values.access.emails "account_ids" $values.access.accountIds -}}
{{- if $list -}}
{{- $_ := set $access $key $list -}}
{{- end -}}
{{- end -}}
{{- $_ := set $tree "access" $access -}}
{{- $_ := set $tree "session" (dict "secret_file" "/etc/anteroom/secrets/session-keys") -}}
{{- $_ := set $tree "store" (dict "url" "file:/var/lib/anteroom/accounts.redb") -}}
{{- $_ := set $tree "ops" (dict
      "listen" (printf "%s:4181" $any)
      "shutdown_delay" (printf "%ds" (int $values.shutdown.delaySeconds))
      "drain_timeout" (printf "%ds" (int $values.shutdown.drainSeconds))) -}}
{{- mergeOverwrite $tree (deepCopy $values.config) | toJson -}}
{{- end -}}

{{- define "anteroom.toml" -}}
# Rendered by Helm from the values of this release. Edit those.
{{- include "anteroom.tomlTable" (list "" (include "anteroom.configTree" . | fromJson)) }}
{{ end -}}

{{/* What of the configuration is not read anew while Anteroom runs: a change of it is a change of the pod. */}}
{{- define "anteroom.fixedConfig" -}}
{{- $tree := include "anteroom.configTree" . | fromJson -}}
{{- if dig "reload" true $tree.ops -}}
{{- $fixed := dict "store" $tree.store "ops" (omit $tree.ops "reload") -}}
{{- range $table := list "proxy" "forward_auth" -}}
{{- with get $tree $table -}}
{{- $_ := set $fixed $table (set (pick . "listen" "http2" "probes" "unix_mode") "tls" (hasKey . "tls")) -}}
{{- end -}}
{{- end -}}
{{- range dig "proxy" "upstreams" list $tree -}}
{{- $_ := set $fixed (printf "upstream %v" .name) (get . "keep_alive_pool") -}}
{{- end -}}
{{- toJson $fixed -}}
{{- else -}}
{{- toJson $tree -}}
{{- end -}}
{{- end -}}

{{/* Secret keys that would end up in a ConfigMap, and keys that a value of the chart is for: path, and what to do. */}}
{{- define "anteroom.ownKeys" -}}
{{- toJson (list
  (list "public_url" "set publicUrl")
  (list "app_urls" "set appUrls")
  (list "atlassian.client_id" "set atlassian.clientId")
  (list "atlassian.client_secret" "a ConfigMap is no place for a secret: set atlassian.existingSecret")
  (list "atlassian.client_secret_file" "set atlassian.existingSecret")
  (list "atlassian.scopes" "set atlassian.scopes")
  (list "proxy.listen" "the Service and the probes rest on the ports: set bindAddress")
  (list "proxy.upstream" "set upstream, or sidecar.appPort")
  (list "proxy.probes" "set sidecar.probePaths")
  (list "proxy.trusted_proxies" "set trustedProxies")
  (list "forward_auth.listen" "the Service and the probes rest on the ports: set bindAddress")
  (list "forward_auth.trusted_proxies" "set trustedProxies")
  (list "forward_auth.key" "a ConfigMap is no place for a secret: set forwardAuth.existingSecret")
  (list "forward_auth.key_file" "set forwardAuth.existingSecret")
  (list "access.allow_any_atlassian_account" "set access.allowAnyAtlassianAccount")
  (list "access.email_domains" "set access.emailDomains")
  (list "access.emails" "set access.emails")
  (list "access.account_ids" "set access.accountIds")
  (list "session.secret" "a ConfigMap is no place for a secret: set session.existingSecret")
  (list "session.secret_file" "set session.existingSecret")
  (list "store.url" "only /var/lib/anteroom can be written: leave it out")
  (list "ops.listen" "the probes rest on the ports: set bindAddress")
  (list "ops.shutdown_delay" "the grace period follows from it: set shutdown.delaySeconds")
  (list "ops.drain_timeout" "the grace period follows from it: set shutdown.drainSeconds")
  (list "ops.tracing.headers" "a ConfigMap is no place for a secret: use headers_files with extraVolumes")
) -}}
{{- end -}}
