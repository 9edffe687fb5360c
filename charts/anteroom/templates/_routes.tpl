{{/* Where do requests go? Paths and backends that Ingress and HTTPRoute share. */}}

{{- define "anteroom.servicePort" -}}
{{- eq (include "anteroom.mode" .) "forwardAuth" | ternary 4182 (int .Values.service.port) -}}
{{- end -}}

{{/* One path of an Ingress. Takes a list: path, type, service, port. */}}
{{- define "anteroom.ingressPath" -}}
- path: {{ index . 0 | quote }}
  pathType: {{ index . 1 }}
  backend:
    service:
      name: {{ index . 2 | quote }}
      port:
        number: {{ index . 3 }}
{{- end -}}

{{/* metadata of an object of the gateway's. Takes a list: context, ending of the name. */}}
{{- define "anteroom.metadata" -}}
{{- $top := index . 0 -}}
name: {{ printf "%s%s" (include "anteroom.fullname" $top) (index . 1) | quote }}
namespace: {{ $top.Release.Namespace | quote }}
labels: {{- include "anteroom.labels" $top | nindent 2 }}
{{- end -}}

{{/* What an HTTPRoute says of itself, without rules. Takes a list: context, hosts. */}}
{{- define "anteroom.routeSpec" -}}
{{- $top := index . 0 -}}
parentRefs: {{- toYaml $top.Values.httpRoute.parentRefs | nindent 2 }}
hostnames:
{{- range index . 1 }}
  - {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The policy beside a Gateway of the routes, where releases of other namespaces may have put theirs. Takes a list: context, and
which of the parentRefs. */}}
{{- define "anteroom.clientPolicyName" -}}
{{- $top := index . 0 -}}
{{- $gateway := index $top.Values.httpRoute.parentRefs (index . 1) -}}
{{- $name := include "anteroom.fullname" $top -}}
{{- if ne (default $top.Release.Namespace $gateway.namespace) $top.Release.Namespace -}}
{{- $name = printf "%s-%s" $top.Release.Namespace $name | trimPrefix "-" -}}
{{- end -}}
{{- eq (index . 1) 0 | ternary $name (printf "%s-%d" $name (index . 1)) -}}
{{- end -}}

{{/* Identity headers of the operator's own: those of config.headers.names, and what forwardAuth.headers adds. */}}
{{- define "anteroom.ownHeaders" -}}
{{- $own := .Values.forwardAuth.headers -}}
{{- $names := dig "headers" "names" nil .Values.config -}}
{{- if kindIs "map" $names -}}
{{- range $claim, $called := $names -}}
{{- $own = concat $own (kindIs "slice" $called | ternary $called (list $called)) -}}
{{- end -}}
{{- end -}}
{{- $own | compact | uniq | toJson -}}
{{- end -}}

{{/* Identity headers that a gateway copies: all that this configuration may set. */}}
{{- define "anteroom.identityHeaders" -}}
{{- $all := (.Files.Get "files/gateway.yaml" | fromYaml).identity -}}
{{- $families := dict "forwarded" "X-Forwarded" "auth-request" "X-Auth-Request" "remote" "Remote" -}}
{{- range $preset := dig "headers" "presets" nil .Values.config | default list -}}
{{- $endings := eq $preset "remote" | ternary (list "User" "Email" "Name") (list "User" "Email" "Preferred-Username") -}}
{{- range hasKey $families $preset | ternary $endings list -}}
{{- $all = append $all (printf "%s-%s" (get $families $preset) .) -}}
{{- end -}}
{{- end -}}
{{- concat $all (include "anteroom.ownHeaders" . | fromJsonArray) | uniq | toJson -}}
{{- end -}}

{{/* For the app's Ingress, where nginx asks. */}}
{{- define "anteroom.nginxAnnotations" -}}
nginx.ingress.kubernetes.io/auth-url: {{ printf "http://%s.%s.svc.cluster.local:4182/_anteroom/verify/nginx" (include "anteroom.fullname" .) .Release.Namespace | quote }}
nginx.ingress.kubernetes.io/auth-signin: "https://$http_host/_anteroom/sign-in?return_to=$escaped_request_uri"
nginx.ingress.kubernetes.io/auth-signin-redirect-param: return_to
nginx.ingress.kubernetes.io/auth-response-headers: {{ include "anteroom.identityHeaders" . | fromJsonArray | join "," | quote }}
nginx.ingress.kubernetes.io/proxy-buffer-size: 16k
{{- if .Values.forwardAuth.existingSecret }}
# This ConfigMap holds X-Anteroom-Gateway-Key; whoever may read it may ask.
nginx.ingress.kubernetes.io/auth-proxy-set-headers: {{ printf "%s/%s-gateway" .Release.Namespace (include "anteroom.fullname" .) | quote }}
{{- end }}
{{- end -}}
