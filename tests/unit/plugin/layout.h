/* The layout of every struct of the ABI, pinned. Compiled as C11 and as C++20, with gcc and clang.
 * A change here is a change of the ABI: while it is version 0, say so in docs/decisions and the
 * changelog; after 1.0 a struct may only grow at its end. */
#ifndef CHRONIK_TESTS_UNIT_PLUGIN_LAYOUT_H
#define CHRONIK_TESTS_UNIT_PLUGIN_LAYOUT_H

#include <assert.h>
#include <stddef.h>

#include "chronik/abi/base.h"
#include "chronik/abi/file_io.h"
#include "chronik/abi/frontend.h"
#include "chronik/abi/log_storage.h"
#include "chronik/abi/metrics.h"
#include "chronik/abi/state_machine.h"

#define SIZE(type, size) static_assert(sizeof(type) == (size), "size of " #type)
#define AT(type, field, offset) \
  static_assert(offsetof(type, field) == (offset), "offset of " #type "." #field)

/* clang-format off */

/* ---- base.h ---- */

SIZE(chronik_error, 512);
AT(chronik_error, struct_size, 0);
AT(chronik_error, code, 4);
AT(chronik_error, detail, 8);
AT(chronik_error, message, 12);

SIZE(chronik_slice, 16);
AT(chronik_slice, data, 0);
AT(chronik_slice, size, 8);

SIZE(chronik_buffer, 40);
AT(chronik_buffer, struct_size, 0);
AT(chronik_buffer, reserved, 4);
AT(chronik_buffer, data, 8);
AT(chronik_buffer, size, 16);
AT(chronik_buffer, retain, 24);
AT(chronik_buffer, release, 32);

SIZE(chronik_sink, 16);
AT(chronik_sink, context, 0);
AT(chronik_sink, write, 8);

SIZE(chronik_task, 24);
AT(chronik_task, run, 0);
AT(chronik_task, next, 8);
AT(chronik_task, reserved, 16);

SIZE(chronik_option, 64);
AT(chronik_option, struct_size, 0);
AT(chronik_option, type, 4);
AT(chronik_option, flags, 8);
AT(chronik_option, reserved, 12);
AT(chronik_option, name, 16);
AT(chronik_option, default_value, 24);
AT(chronik_option, min_value, 32);
AT(chronik_option, max_value, 40);
AT(chronik_option, enum_values, 48);
AT(chronik_option, doc, 56);

SIZE(chronik_value, 32);
AT(chronik_value, struct_size, 0);
AT(chronik_value, is_set, 4);
AT(chronik_value, number, 8);
AT(chronik_value, text, 16);

SIZE(chronik_config, 40);
AT(chronik_config, struct_size, 0);
AT(chronik_config, value_count, 4);
AT(chronik_config, value_stride, 8);
AT(chronik_config, reserved, 12);
AT(chronik_config, values, 16);
AT(chronik_config, instance_name, 24);
AT(chronik_config, directory, 32);

SIZE(chronik_host, 96);
AT(chronik_host, struct_size, 0);
AT(chronik_host, abi_major, 4);
AT(chronik_host, abi_minor, 6);
AT(chronik_host, context, 8);
AT(chronik_host, log_level, 16);
AT(chronik_host, log, 24);
AT(chronik_host, now, 32);
AT(chronik_host, random, 40);
AT(chronik_host, post, 48);
AT(chronik_host, post_after, 56);
AT(chronik_host, post_blocking, 64);
AT(chronik_host, buffer_alloc, 72);
AT(chronik_host, fatal, 80);
AT(chronik_host, get_extension, 88);

SIZE(chronik_done, 16);
AT(chronik_done, call, 0);
AT(chronik_done, context, 8);

SIZE(chronik_component_vtable, 56);
AT(chronik_component_vtable, struct_size, 0);
AT(chronik_component_vtable, reserved, 4);
AT(chronik_component_vtable, validate, 8);
AT(chronik_component_vtable, create, 16);
AT(chronik_component_vtable, start, 24);
AT(chronik_component_vtable, stop, 32);
AT(chronik_component_vtable, destroy, 40);
AT(chronik_component_vtable, get_extension, 48);

SIZE(chronik_component, 64);
AT(chronik_component, struct_size, 0);
AT(chronik_component, kind, 4);
AT(chronik_component, name, 8);
AT(chronik_component, doc, 16);
AT(chronik_component, interface_major, 24);
AT(chronik_component, interface_minor, 26);
AT(chronik_component, option_count, 28);
AT(chronik_component, option_stride, 32);
AT(chronik_component, reserved, 36);
AT(chronik_component, capabilities, 40);
AT(chronik_component, options, 48);
AT(chronik_component, vtable, 56);

SIZE(chronik_plugin, 80);
AT(chronik_plugin, struct_size, 0);
AT(chronik_plugin, abi_major, 4);
AT(chronik_plugin, abi_minor, 6);
AT(chronik_plugin, min_host_minor, 8);
AT(chronik_plugin, flags, 10);
AT(chronik_plugin, component_count, 12);
AT(chronik_plugin, component_stride, 16);
AT(chronik_plugin, reserved, 20);
AT(chronik_plugin, id, 24);
AT(chronik_plugin, version, 32);
AT(chronik_plugin, vendor, 40);
AT(chronik_plugin, license, 48);
AT(chronik_plugin, doc, 56);
AT(chronik_plugin, build, 64);
AT(chronik_plugin, components, 72);

/* ---- file_io.h ---- */

SIZE(chronik_io_operation, 112);
AT(chronik_io_operation, struct_size, 0);
AT(chronik_io_operation, kind, 4);
AT(chronik_io_operation, flags, 8);
AT(chronik_io_operation, slice_count, 12);
AT(chronik_io_operation, file, 16);
AT(chronik_io_operation, offset, 24);
AT(chronik_io_operation, size, 32);
AT(chronik_io_operation, buffer, 40);
AT(chronik_io_operation, slices, 48);
AT(chronik_io_operation, path, 56);
AT(chronik_io_operation, other_path, 72);
AT(chronik_io_operation, sink, 88);
AT(chronik_io_operation, result, 104);

SIZE(chronik_io_chain, 56);
AT(chronik_io_chain, struct_size, 0);
AT(chronik_io_chain, lane, 4);
AT(chronik_io_chain, operation_count, 8);
AT(chronik_io_chain, operation_stride, 12);
AT(chronik_io_chain, operations, 16);
AT(chronik_io_chain, done, 24);
AT(chronik_io_chain, status, 32);
AT(chronik_io_chain, failed_operation, 36);
AT(chronik_io_chain, os_error, 40);
AT(chronik_io_chain, reserved, 44);
AT(chronik_io_chain, next, 48);

SIZE(chronik_file_io, 32);
AT(chronik_file_io, struct_size, 0);
AT(chronik_file_io, reserved, 4);
AT(chronik_file_io, context, 8);
AT(chronik_file_io, submit, 16);
AT(chronik_file_io, run, 24);

/* ---- metrics.h ---- */

SIZE(chronik_metrics, 24);
AT(chronik_metrics, struct_size, 0);
AT(chronik_metrics, reserved, 4);
AT(chronik_metrics, context, 8);
AT(chronik_metrics, cell, 16);

/* ---- log_storage.h ---- */

SIZE(chronik_entry, 64);
AT(chronik_entry, struct_size, 0);
AT(chronik_entry, type, 4);
AT(chronik_entry, index, 8);
AT(chronik_entry, term, 16);
AT(chronik_entry, key, 24);
AT(chronik_entry, time_ms, 32);
AT(chronik_entry, payload, 40);
AT(chronik_entry, owner, 56);

SIZE(chronik_log_operation, 88);
AT(chronik_log_operation, struct_size, 0);
AT(chronik_log_operation, kind, 4);
AT(chronik_log_operation, flags, 8);
AT(chronik_log_operation, entry_count, 12);
AT(chronik_log_operation, entry_stride, 16);
AT(chronik_log_operation, reserved, 20);
AT(chronik_log_operation, group, 24);
AT(chronik_log_operation, index, 32);
AT(chronik_log_operation, term, 40);
AT(chronik_log_operation, vote, 48);
AT(chronik_log_operation, commit, 56);
AT(chronik_log_operation, entries, 64);
AT(chronik_log_operation, meta, 72);

SIZE(chronik_log_batch, 24);
AT(chronik_log_batch, struct_size, 0);
AT(chronik_log_batch, operation_count, 4);
AT(chronik_log_batch, operation_stride, 8);
AT(chronik_log_batch, reserved, 12);
AT(chronik_log_batch, operations, 16);

SIZE(chronik_log_completion, 16);
AT(chronik_log_completion, token, 0);
AT(chronik_log_completion, status, 8);
AT(chronik_log_completion, reserved, 12);

SIZE(chronik_log_read, 48);
AT(chronik_log_read, struct_size, 0);
AT(chronik_log_read, from_kind, 4);
AT(chronik_log_read, group, 8);
AT(chronik_log_read, from, 16);
AT(chronik_log_read, end_index, 24);
AT(chronik_log_read, max_bytes, 32);
AT(chronik_log_read, token, 40);

SIZE(chronik_log_read_result, 40);
AT(chronik_log_read_result, struct_size, 0);
AT(chronik_log_read_result, status, 4);
AT(chronik_log_read_result, token, 8);
AT(chronik_log_read_result, entry_count, 16);
AT(chronik_log_read_result, entry_stride, 20);
AT(chronik_log_read_result, entries, 24);
AT(chronik_log_read_result, release, 32);

SIZE(chronik_term_run, 16);
AT(chronik_term_run, first_index, 0);
AT(chronik_term_run, term, 8);

SIZE(chronik_log_group, 128);
AT(chronik_log_group, struct_size, 0);
AT(chronik_log_group, flags, 4);
AT(chronik_log_group, group, 8);
AT(chronik_log_group, start_index, 16);
AT(chronik_log_group, start_term, 24);
AT(chronik_log_group, last_index, 32);
AT(chronik_log_group, last_term, 40);
AT(chronik_log_group, last_key, 48);
AT(chronik_log_group, last_time_ms, 56);
AT(chronik_log_group, durable_index, 64);
AT(chronik_log_group, hard_term, 72);
AT(chronik_log_group, hard_vote, 80);
AT(chronik_log_group, hard_commit, 88);
AT(chronik_log_group, meta, 96);
AT(chronik_log_group, term_runs, 112);
AT(chronik_log_group, term_run_count, 120);
AT(chronik_log_group, reserved, 124);

SIZE(chronik_log_storage_environment, 56);
AT(chronik_log_storage_environment, struct_size, 0);
AT(chronik_log_storage_environment, reserved, 4);
AT(chronik_log_storage_environment, context, 8);
AT(chronik_log_storage_environment, store_uuid, 16);
AT(chronik_log_storage_environment, on_complete, 32);
AT(chronik_log_storage_environment, on_read, 40);
AT(chronik_log_storage_environment, on_space, 48);

SIZE(chronik_log_storage_vtable, 104);
AT(chronik_log_storage_vtable, component, 0);
AT(chronik_log_storage_vtable, submit, 56);
AT(chronik_log_storage_vtable, group, 64);
AT(chronik_log_storage_vtable, scan_groups, 72);
AT(chronik_log_storage_vtable, read, 80);
AT(chronik_log_storage_vtable, recovery_report, 88);
AT(chronik_log_storage_vtable, group_batch_bytes_max, 96);

/* ---- state_machine.h ---- */

SIZE(chronik_state_machine_environment, 32);
AT(chronik_state_machine_environment, struct_size, 0);
AT(chronik_state_machine_environment, partition, 4);
AT(chronik_state_machine_environment, group, 8);
AT(chronik_state_machine_environment, topic, 16);

SIZE(chronik_proposal, 64);
AT(chronik_proposal, struct_size, 0);
AT(chronik_proposal, reserved, 4);
AT(chronik_proposal, term, 8);
AT(chronik_proposal, index, 16);
AT(chronik_proposal, now_ms, 24);
AT(chronik_proposal, payload, 32);
AT(chronik_proposal, payload_size, 40);
AT(chronik_proposal, key, 48);
AT(chronik_proposal, time_ms, 56);

SIZE(chronik_result, 40);
AT(chronik_result, struct_size, 0);
AT(chronik_result, status, 4);
AT(chronik_result, detail, 8);
AT(chronik_result, reserved, 12);
AT(chronik_result, value, 16);
AT(chronik_result, bytes, 24);

SIZE(chronik_prepared, 568);
AT(chronik_prepared, struct_size, 0);
AT(chronik_prepared, verdict, 4);
AT(chronik_prepared, follow_index, 8);
AT(chronik_prepared, result, 16);
AT(chronik_prepared, error, 56);

SIZE(chronik_answer, 40);
AT(chronik_answer, struct_size, 0);
AT(chronik_answer, kind, 4);
AT(chronik_answer, start_key, 8);
AT(chronik_answer, end_key, 16);
AT(chronik_answer, from, 24);
AT(chronik_answer, from_kind, 32);
AT(chronik_answer, reserved, 36);

SIZE(chronik_state_machine_vtable, 112);
AT(chronik_state_machine_vtable, component, 0);
AT(chronik_state_machine_vtable, version, 56);
AT(chronik_state_machine_vtable, prepare, 64);
AT(chronik_state_machine_vtable, on_leadership, 72);
AT(chronik_state_machine_vtable, apply, 80);
AT(chronik_state_machine_vtable, query, 88);
AT(chronik_state_machine_vtable, save, 96);
AT(chronik_state_machine_vtable, restore, 104);

/* ---- frontend.h ---- */

SIZE(chronik_route_partition, 16);
AT(chronik_route_partition, group, 0);
AT(chronik_route_partition, leader_node, 8);

SIZE(chronik_route_topic, 80);
AT(chronik_route_topic, struct_size, 0);
AT(chronik_route_topic, partition_count, 4);
AT(chronik_route_topic, partition_stride, 8);
AT(chronik_route_topic, replication, 12);
AT(chronik_route_topic, topic_id, 16);
AT(chronik_route_topic, name, 24);
AT(chronik_route_topic, state_machine, 40);
AT(chronik_route_topic, log_storage, 56);
AT(chronik_route_topic, partitions, 72);

SIZE(chronik_route_node, 32);
AT(chronik_route_node, struct_size, 0);
AT(chronik_route_node, reserved, 4);
AT(chronik_route_node, node, 8);
AT(chronik_route_node, api_address, 16);

SIZE(chronik_routing, 48);
AT(chronik_routing, struct_size, 0);
AT(chronik_routing, topic_count, 4);
AT(chronik_routing, topic_stride, 8);
AT(chronik_routing, node_count, 12);
AT(chronik_routing, node_stride, 16);
AT(chronik_routing, reserved, 20);
AT(chronik_routing, version, 24);
AT(chronik_routing, topics, 32);
AT(chronik_routing, nodes, 40);

SIZE(chronik_outcome, 96);
AT(chronik_outcome, struct_size, 0);
AT(chronik_outcome, status, 4);
AT(chronik_outcome, detail, 8);
AT(chronik_outcome, reserved, 12);
AT(chronik_outcome, term, 16);
AT(chronik_outcome, index, 24);
AT(chronik_outcome, value, 32);
AT(chronik_outcome, bytes, 40);
AT(chronik_outcome, message, 56);
AT(chronik_outcome, leader_node, 72);
AT(chronik_outcome, leader_address, 80);

SIZE(chronik_propose_request, 80);
AT(chronik_propose_request, struct_size, 0);
AT(chronik_propose_request, acks, 4);
AT(chronik_propose_request, group, 8);
AT(chronik_propose_request, payload, 16);
AT(chronik_propose_request, payload_size, 24);
AT(chronik_propose_request, owner, 32);
AT(chronik_propose_request, done, 40);
AT(chronik_propose_request, host, 48);

SIZE(chronik_query_reply, 120);
AT(chronik_query_reply, struct_size, 0);
AT(chronik_query_reply, status, 4);
AT(chronik_query_reply, start_key, 8);
AT(chronik_query_reply, end_key, 16);
AT(chronik_query_reply, high_watermark, 24);
AT(chronik_query_reply, bytes, 32);
AT(chronik_query_reply, message, 48);
AT(chronik_query_reply, leader_node, 64);
AT(chronik_query_reply, leader_address, 72);
AT(chronik_query_reply, entry_count, 88);
AT(chronik_query_reply, entry_stride, 92);
AT(chronik_query_reply, entries, 96);
AT(chronik_query_reply, pin, 104);
AT(chronik_query_reply, release, 112);

SIZE(chronik_query_request, 112);
AT(chronik_query_request, struct_size, 0);
AT(chronik_query_request, kind, 4);
AT(chronik_query_request, group, 8);
AT(chronik_query_request, arg, 16);
AT(chronik_query_request, body, 24);
AT(chronik_query_request, max_bytes, 40);
AT(chronik_query_request, wait_ns, 48);
AT(chronik_query_request, done, 56);
AT(chronik_query_request, host, 64);

SIZE(chronik_admin_request, 104);
AT(chronik_admin_request, struct_size, 0);
AT(chronik_admin_request, kind, 4);
AT(chronik_admin_request, name, 8);
AT(chronik_admin_request, partitions, 24);
AT(chronik_admin_request, replication, 28);
AT(chronik_admin_request, state_machine, 32);
AT(chronik_admin_request, log_storage, 48);
AT(chronik_admin_request, done, 64);
AT(chronik_admin_request, host, 72);

SIZE(chronik_group_status, 128);
AT(chronik_group_status, struct_size, 0);
AT(chronik_group_status, role, 4);
AT(chronik_group_status, group, 8);
AT(chronik_group_status, partition, 16);
AT(chronik_group_status, reserved, 20);
AT(chronik_group_status, topic, 24);
AT(chronik_group_status, term, 40);
AT(chronik_group_status, leader_node, 48);
AT(chronik_group_status, first_index, 56);
AT(chronik_group_status, last_index, 64);
AT(chronik_group_status, durable_index, 72);
AT(chronik_group_status, commit_index, 80);
AT(chronik_group_status, applied_index, 88);
AT(chronik_group_status, start_key, 96);
AT(chronik_group_status, end_key, 104);
AT(chronik_group_status, message, 112);

SIZE(chronik_metric, 64);
AT(chronik_metric, struct_size, 0);
AT(chronik_metric, type, 4);
AT(chronik_metric, name, 8);
AT(chronik_metric, labels, 24);
AT(chronik_metric, help, 40);
AT(chronik_metric, value, 56);

SIZE(chronik_node_status, 88);
AT(chronik_node_status, struct_size, 0);
AT(chronik_node_status, group_count, 4);
AT(chronik_node_status, group_stride, 8);
AT(chronik_node_status, metric_count, 12);
AT(chronik_node_status, metric_stride, 16);
AT(chronik_node_status, reserved, 20);
AT(chronik_node_status, node, 24);
AT(chronik_node_status, cluster_name, 32);
AT(chronik_node_status, version, 48);
AT(chronik_node_status, uptime_ns, 64);
AT(chronik_node_status, groups, 72);
AT(chronik_node_status, metrics, 80);

SIZE(chronik_status_request, 48);
AT(chronik_status_request, struct_size, 0);
AT(chronik_status_request, reserved, 4);
AT(chronik_status_request, done, 8);
AT(chronik_status_request, host, 16);

SIZE(chronik_frontend_environment, 96);
AT(chronik_frontend_environment, struct_size, 0);
AT(chronik_frontend_environment, reserved, 4);
AT(chronik_frontend_environment, context, 8);
AT(chronik_frontend_environment, node, 16);
AT(chronik_frontend_environment, max_payload_bytes, 24);
AT(chronik_frontend_environment, routing_acquire, 32);
AT(chronik_frontend_environment, routing_release, 40);
AT(chronik_frontend_environment, set_address, 48);
AT(chronik_frontend_environment, propose, 56);
AT(chronik_frontend_environment, query, 64);
AT(chronik_frontend_environment, admin, 72);
AT(chronik_frontend_environment, status, 80);
AT(chronik_frontend_environment, cancel_query, 88);

SIZE(chronik_frontend_vtable, 56);
AT(chronik_frontend_vtable, component, 0);
/* clang-format on */

#undef SIZE
#undef AT

#endif /* CHRONIK_TESTS_UNIT_PLUGIN_LAYOUT_H */
