// Package oss keeps blobs in a bucket of Alibaba Cloud's Object Storage Service, for repositories of type
// "oss" with the settings of Alibaba's plugin: endpoint, access_key_id, secret_access_key, security_token,
// bucket, base_path, compress and chunk_size; beside them region, buffer_size, max_retries,
// signature_version (v4 or v1), path_style_access and readonly.
//
// Credentials come from those settings, else from the key store (oss.client.default.access_key_id and so
// on), else from OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET and OSS_SESSION_TOKEN in the environment.
//
// Creation of what is absent uses OSS's own header, x-oss-forbid-overwrite; a mark in the metadata tells
// after a lost answer whether the blob is ours. The SDK compares CRC-64 of what it sends.
package oss
