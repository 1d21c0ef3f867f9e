{{- define "undercurrent.name" -}}
{{- if contains "undercurrent" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-undercurrent" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels everything bears; selectors take the first two and a role. */}}
{{- define "undercurrent.selector" -}}
app.kubernetes.io/name: undercurrent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "undercurrent.labels" -}}
{{ include "undercurrent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The roles that run, as JSON. */}}
{{- define "undercurrent.roles" -}}
{{- ternary (list "intake" "correlate" "notify") (list "worker") .Values.split | toJson }}
{{- end }}

{{/* What runs the workers: pods of a StatefulSet keep their names over a restart. */}}
{{- define "undercurrent.kind" -}}
{{- ternary "StatefulSet" "Deployment" .Values.staticMembership.enabled }}
{{- end }}

{{/* With the job, workers need no right to create topics. */}}
{{- define "undercurrent.settings" -}}
{{- $kafka := dict "declare_topics" (not .Values.topicsJob.enabled) }}
{{- if .Values.staticMembership.enabled }}
{{- $_ := set $kafka "session_timeout_seconds" .Values.staticMembership.sessionTimeoutSeconds }}
{{- end }}
{{- mergeOverwrite (deepCopy .Values.settings) (dict "kafka" $kafka) | toYaml }}
{{- end }}

{{- define "undercurrent.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What workers and the job share of a pod. */}}
{{- define "undercurrent.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "undercurrent.container" -}}
image: {{ include "undercurrent.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: UNDERCURRENT_WEB_HOST, value: 0.0.0.0}
  - {name: UNDERCURRENT_LOG_FORMAT, value: json}
  {{- if .Values.staticMembership.enabled }}
  - {name: UNDERCURRENT_KAFKA_GROUP_INSTANCE_ID, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  {{- end }}
  {{- if .Values.secrets.slack.name }}
  - {name: SLACK_BOT_TOKEN_FILE, value: "/etc/undercurrent/slack/{{ .Values.secrets.slack.key }}"}
  {{- end }}
  {{- if .Values.secrets.kafkaPassword.name }}
  - {name: UNDERCURRENT_KAFKA_PASSWORD_FILE, value: "/etc/undercurrent/password/{{ .Values.secrets.kafkaPassword.key }}"}
  {{- end }}
  {{- with .Values.extraEnv }}{{ toYaml . | nindent 2 }}{{ end }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: settings, mountPath: /etc/undercurrent/settings, readOnly: true}
  {{- if .Values.secrets.slack.name }}
  - {name: slack, mountPath: /etc/undercurrent/slack, readOnly: true}
  {{- end }}
  {{- if .Values.secrets.kafkaPassword.name }}
  - {name: password, mountPath: /etc/undercurrent/password, readOnly: true}
  {{- end }}
  {{- if .Values.secrets.kafkaCertificates.name }}
  - {name: certificates, mountPath: /etc/undercurrent/kafka, readOnly: true}
  {{- end }}
{{- end }}

{{/* Called with a dict: root, and the name of the ConfigMap. */}}
{{- define "undercurrent.volumes" -}}
{{- $secrets := .root.Values.secrets -}}
volumes:
  - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
  - {name: settings, configMap: {name: {{ .config }}}}
  {{- if $secrets.slack.name }}
  - {name: slack, secret: {secretName: {{ $secrets.slack.name }}, defaultMode: 0440}}
  {{- end }}
  {{- if $secrets.kafkaPassword.name }}
  - {name: password, secret: {secretName: {{ $secrets.kafkaPassword.name }}, defaultMode: 0440}}
  {{- end }}
  {{- if $secrets.kafkaCertificates.name }}
  - {name: certificates, secret: {secretName: {{ $secrets.kafkaCertificates.name }}, defaultMode: 0440}}
  {{- end }}
{{- end }}
