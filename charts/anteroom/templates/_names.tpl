{{/* What are things called, and what labels do they carry? */}}

{{/* Kubernetes allows 63 characters; ten are left for endings such as "-dashboard". What is longer ends in a digest of the whole, so
that two of them differ. In a parent chart the alias is always part of it: there may be several. */}}
{{- define "anteroom.name" -}}
{{- $other := .Values.nameOverride -}}
{{- if or .Chart.IsRoot (not $other) (contains .Chart.Name $other) -}}
{{- default .Chart.Name $other -}}
{{- else -}}
{{- printf "%s-%s" .Chart.Name $other -}}
{{- end -}}
{{- end -}}

{{- define "anteroom.fullname" -}}
{{- $name := include "anteroom.name" . -}}
{{- $whole := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride -}}
{{- $whole = .Values.fullnameOverride -}}
{{- else if and .Chart.IsRoot (contains $name .Release.Name) -}}
{{- $whole = .Release.Name -}}
{{- end -}}
{{- $whole = $whole | lower | replace "_" "-" | replace "." "-" -}}
{{- if gt (len $whole) 53 -}}
{{- printf "%s-%s" ($whole | trunc 44 | trimSuffix "-") (sha256sum $whole | trunc 8) -}}
{{- else -}}
{{- $whole -}}
{{- end -}}
{{- end -}}

{{- define "anteroom.selectorLabels" -}}
app.kubernetes.io/name: {{ include "anteroom.name" . | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{- define "anteroom.labels" -}}
{{ include "anteroom.selectorLabels" . }}
app.kubernetes.io/version: {{ regexReplaceAll "[^A-Za-z0-9]+$" (default .Chart.AppVersion .Values.image.tag | replace "+" "_" | trunc 63) "" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/part-of: anteroom
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{/* "off" is a boolean to YAML 1.1, so both spellings count. */}}
{{- define "anteroom.mode" -}}
{{- if kindIs "bool" .Values.mode -}}off{{- else -}}{{ .Values.mode }}{{- end -}}
{{- end -}}

{{/* "true" where the chart runs pods of its own. */}}
{{- define "anteroom.ownPods" -}}
{{- if has (include "anteroom.mode" .) (list "proxy" "forwardAuth") -}}true{{- end -}}
{{- end -}}

{{/* The labels by which NetworkPolicy, PodDisruptionBudget and ServiceMonitor find the pods: a parent chart's too. */}}
{{- define "anteroom.podSelector" -}}
{{- if eq (include "anteroom.mode" .) "sidecar" -}}
anteroom.dev/sidecar: {{ include "anteroom.fullname" . | quote }}
{{- else -}}
{{ include "anteroom.selectorLabels" . }}
{{- end -}}
{{- end -}}

{{- define "anteroom.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "anteroom.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "anteroom.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "anteroom.sessionSecretName" -}}
{{- default (printf "%s-session" (include "anteroom.fullname" .)) .Values.session.existingSecret -}}
{{- end -}}

{{/* The name of the port that people's requests reach. */}}
{{- define "anteroom.mainPort" -}}
{{- if eq (include "anteroom.mode" .) "forwardAuth" -}}auth{{- else if eq (include "anteroom.mode" .) "sidecar" -}}anteroom-http{{- else -}}http{{- end -}}
{{- end -}}

{{- define "anteroom.mainPortNumber" -}}
{{- eq (include "anteroom.mode" .) "forwardAuth" | ternary 4182 4180 -}}
{{- end -}}

{{/* Every host that people type, without port; the central one first. A JSON list. */}}
{{- define "anteroom.hosts" -}}
{{- $hosts := list -}}
{{- range prepend .Values.appUrls .Values.publicUrl -}}
{{- $hosts = append $hosts (regexReplaceAll ":[0-9]+$" (lower (urlParse .).host) "") -}}
{{- end -}}
{{- $hosts | uniq | toJson -}}
{{- end -}}

{{- define "anteroom.callbackPath" -}}
{{- dig "atlassian" "callback_path" "/api/auth/callback/atlassian" .Values.config -}}
{{- end -}}

{{/* How many pods there are at least. */}}
{{- define "anteroom.replicas" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.minReplicas | int }}{{- else -}}{{ .Values.replicas | int }}{{- end -}}
{{- end -}}

{{/* "true" where there can be several pods at once. */}}
{{- define "anteroom.several" -}}
{{- if or (gt (int .Values.replicas) 1) (and .Values.autoscaling.enabled (gt (int .Values.autoscaling.maxReplicas) 1)) -}}true{{- end -}}
{{- end -}}
